-- pgherald 0016: reads that are written back stamp their rows themselves. The trigger's function costs a row more than its
-- index entries do; as with new rows (0011) it is called only for what is not stamped as it would stamp it.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (16, '0016_stamped_reads');

drop trigger zz_stamp on herald.notifications;
create trigger zz_stamp before update on herald.notifications
  for each row when (new.xid is distinct from pg_current_xact_id() or new.version is distinct from old.version + 1
                     or new.created_xid is distinct from old.created_xid or new.user_id is distinct from old.user_id
                     or new.id is distinct from old.id)
  execute function herald.stamp_notification();
alter table herald.notifications enable always trigger zz_stamp;

create or replace function herald.relay_mark_read(users text[], ids uuid[])
  returns table (user_id text, id uuid, version int, notification text)
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set enable_nestloop = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_unread uuid[];
  v_now timestamptz;
begin
  if cardinality(users) is distinct from cardinality(ids) then
    raise invalid_parameter_value using message = 'users and ids must have the same number of elements';
  end if;
  v_unread := array(
    select n.id from herald.notifications n
    where n.id = any (relay_mark_read.ids) and n.read_at is null and (n.expires_at is null or n.expires_at > now())
      and (n.user_id, n.id) in (select a.user_id, a.id from unnest(users, relay_mark_read.ids) as a (user_id, id))
    order by n.id for no key update of n);
  -- Statements of their own: they see what was committed while the locks were waited for.
  v_now := clock_timestamp();
  update herald.notifications n set read_at = v_now, xid = pg_current_xact_id(), version = n.version + 1
  where n.id = any (v_unread) and n.read_at is null;
  return query
  select n.user_id, n.id, n.version, herald.notification_json(n)
  from herald.notifications n
  where n.id = any (relay_mark_read.ids) and (n.expires_at is null or n.expires_at > now())
    and (n.user_id, n.id) in (select a.user_id, a.id from unnest(users, relay_mark_read.ids) as a (user_id, id));
end
$$;

create or replace function herald.relay_mark_all_read(p_user text, p_until timestamptz, p_until_xid xid8) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_ids uuid[];
  v_now timestamptz;
  v_marked bigint;
begin
  v_ids := array(
    select n.id from herald.notifications n
    where n.user_id = p_user and n.read_at is null and (n.expires_at is null or n.expires_at > now())
      and (p_until is null or n.created_at <= p_until) and (p_until_xid is null or n.xid < p_until_xid)
    order by n.id for no key update of n);
  v_now := clock_timestamp();
  update herald.notifications n set read_at = v_now, xid = pg_current_xact_id(), version = n.version + 1
  where n.id = any (v_ids) and n.read_at is null;
  get diagnostics v_marked = row_count;
  return v_marked;
end
$$;

reset search_path;
