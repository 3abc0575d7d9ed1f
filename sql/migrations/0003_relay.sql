-- pgherald 0003: what the relay calls besides herald.feed. All of it runs with the owner's rights, so that the relay's
-- role can change nothing but through these functions; they trust the relay to name only the user of a session.
-- Planner settings belong to the functions: each query must use its index whatever the statistics say, and the relay's
-- sessions live longer than any guess about the size of the tables. (jit is off because the cost of a sequential scan
-- that is off and yet needed, as for a table of one row, would start the compiler.)

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (3, '0003_relay');

create function herald.relay_schema_version() returns int
  language sql stable security definer set search_path = pg_catalog, pg_temp
  return (select max(m.id) from herald.migrations m);
comment on function herald.relay_schema_version() is 'number of the newest migration that has been applied';

-- A token from an identity provider may have both claims, and users may often choose the username there: sub wins.
create function herald.resolve_user(claims jsonb) returns text
  language sql stable security definer set search_path = pg_catalog, pg_temp
  return case
    when claims ? 'sub' then
      (select u.id from herald.users u
       where jsonb_typeof(claims -> 'sub') = 'string' and u.id = claims ->> 'sub' and u.disabled_at is null)
    else
      (select u.id from herald.users u
       where jsonb_typeof(claims -> 'username') = 'string' and u.username = claims ->> 'username'
         and u.disabled_at is null)
  end;
comment on function herald.resolve_user(jsonb) is
  'user id for the claims of a verified token: by sub, or without one (development tokens) by username; null when '
  'there is no such user or it is disabled. An application with its own table of users replaces this function, with '
  'the same signature';

create function herald.relay_epoch() returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_is_in_recovery() then
    raise object_not_in_prerequisite_state using
      message = 'this server is a standby; pgherald needs the primary',
      hint = 'Set HERALD_DATABASE_URL to the primary, or add target_session_attrs=read-write to it.';
  end if;
  insert into herald.epoch default values on conflict do nothing;
  return (select s.system_identifier::text from pg_control_system() s)
         || ':' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
         || ':' || (select e.id::text from herald.epoch e);
end
$$;
comment on function herald.relay_epoch() is
  'the history to which snapshots belong, as system_identifier:timeline:uuid. Another uuid: the server has crashed, '
  'snapshots whose WAL had been flushed are still good. Another system or timeline: none is. Fails on a standby';

create function herald.relay_unread_counts(users text[]) returns table (user_id text, count bigint)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select u.user_id, (select count(*) from herald.notifications n
                     where n.user_id = u.user_id and n.read_at is null
                       and (n.expires_at is null or n.expires_at > now()))
  from unnest(relay_unread_counts.users) as u (user_id);
end
$$;
comment on function herald.relay_unread_counts(text[]) is
  'exact number of unread, unexpired notifications for each of these users, 0 included';

-- The ordered index and LIMIT are the only good plan for a user with a million rows: sorts and bitmaps are off.
create function herald.relay_page(p_user text, p_unread_only boolean, p_limit int,
                                  p_before_time timestamptz, p_before_id uuid)
  returns table (unread_count bigint, notifications text, next text)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_time timestamptz := coalesce(p_before_time, 'infinity');
  v_id uuid := coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_rows text[];
  v_keys text[];
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    raise invalid_parameter_value using message = 'p_limit must be 1 to 1000';
  end if;
  -- One row more than asked for tells whether there is a next page.
  if p_unread_only then
    select array_agg(p.body), array_agg(p.key) into v_rows, v_keys
    from (select herald.notification_json(n) as body,
                 to_char(n.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '_' || n.id as key
          from herald.notifications n
          where n.user_id = p_user and n.read_at is null and (n.expires_at is null or n.expires_at > now())
            and (n.created_at, n.id) < (v_time, v_id)
          order by n.created_at desc, n.id desc limit p_limit + 1) p;
  else
    select array_agg(p.body), array_agg(p.key) into v_rows, v_keys
    from (select herald.notification_json(n) as body,
                 to_char(n.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '_' || n.id as key
          from herald.notifications n
          where n.user_id = p_user and (n.expires_at is null or n.expires_at > now())
            and (n.created_at, n.id) < (v_time, v_id)
          order by n.created_at desc, n.id desc limit p_limit + 1) p;
  end if;
  unread_count := (select count(*) from herald.notifications n
                   where n.user_id = p_user and n.read_at is null
                     and (n.expires_at is null or n.expires_at > now()));
  notifications := '[' || coalesce(array_to_string(v_rows[1:p_limit], ','), '') || ']';
  next := case when cardinality(v_keys) > p_limit then v_keys[p_limit] end;
  return next;
end
$$;
comment on function herald.relay_page(text, boolean, int, timestamptz, uuid) is
  'one row: the user''s exact unread count; a JSON array of up to p_limit (1 to 1000) notifications older than '
  '(p_before_time, p_before_id), newest first, from the newest when they are null; and next, the key of the last one as '
  'created_at_id, null when no more follow. Expired notifications are left out';

-- Rows are locked in the order of their ids, so that two callers cannot lock each other out; a plain UPDATE by the
-- application still can, and then one of them gets 40P01 and may be repeated.
-- Without nested loops, which compare every row with every pair: rows come by the primary key, and the pairs are hashed.
create function herald.relay_mark_read(users text[], ids uuid[])
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
  update herald.notifications n set read_at = v_now where n.id = any (v_unread) and n.read_at is null;
  return query
  select n.user_id, n.id, n.version, herald.notification_json(n)
  from herald.notifications n
  where n.id = any (relay_mark_read.ids) and (n.expires_at is null or n.expires_at > now())
    and (n.user_id, n.id) in (select a.user_id, a.id from unnest(users, relay_mark_read.ids) as a (user_id, id));
end
$$;
comment on function herald.relay_mark_read(text[], uuid[]) is
  'marks notifications ids[k] of users[k] as read and returns the present state of each once, also of those that were '
  'read before. No row: that user has no such notification. May fail with 40P01 (deadlock): repeat it';

create function herald.relay_mark_all_read(p_user text, p_until timestamptz, p_until_xid xid8) returns bigint
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
  update herald.notifications n set read_at = v_now where n.id = any (v_ids) and n.read_at is null;
  get diagnostics v_marked = row_count;
  return v_marked;
end
$$;
comment on function herald.relay_mark_all_read(text, timestamptz, xid8) is
  'marks a user''s notifications as read: all, or those created until p_until, or those last written by a transaction '
  'before p_until_xid; returns how many were not before. May fail with 40P01 (deadlock): repeat it';

create function herald.relay_tidy() returns table (messages bigint, tombstones bigint, expired bigint)
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_cutoff timestamptz := now() - interval '30 days';
  v_state herald.state;
  v_pruned xid8;
begin
  messages := 0;
  tombstones := 0;
  expired := 0;
  if not pg_try_advisory_xact_lock(1212502608, 0) then
    return next;
    return;
  end if;
  select s.* into v_state from herald.state s;

  -- A message counts as old five minutes after every transaction that might have sent it has ended, not after it was
  -- written: one sent by a long transaction appears late and must still be seen. A day covers ids from another cluster.
  if v_state.messages_settled_at <= clock_timestamp() - interval '5 minutes' then
    delete from herald.messages m
    where m.xid < v_state.messages_settled_xid or m.created_at < clock_timestamp() - interval '1 day';
    get diagnostics messages = row_count;
    update herald.state
    set messages_settled_xid = pg_snapshot_xmin(pg_current_snapshot()), messages_settled_at = clock_timestamp();
  end if;

  -- The order of xids is nearly that of deleted_at, which therefore needs no index.
  if (select o.deleted_at from herald.tombstones o order by o.xid limit 1) < v_cutoff then
    with gone as (
      delete from herald.tombstones t
      where t.xid = any (array(select o.xid from herald.tombstones o order by o.xid limit 10000))
        and t.deleted_at < v_cutoff
      returning t.xid)
    select count(*), (select g.xid from gone g order by g.xid desc limit 1) into tombstones, v_pruned from gone;
    update herald.state s
    set tombstones_pruned_xid = greatest(s.tombstones_pruned_xid, (v_pruned::text::numeric + 1)::text::xid8);
  end if;

  delete from herald.notifications n
  where n.id = any (array(select e.id from herald.notifications e where e.expires_at <= now()
                          order by e.expires_at limit 1000 for update skip locked));
  get diagnostics expired = row_count;
  return next;
end
$$;
comment on function herald.relay_tidy() is
  'housekeeping, one relay at a time (others get zeros at once): deletes messages that have been visible for 5 minutes, '
  'up to 10000 tombstones older than 30 days, up to 1000 expired notifications; returns how many of each. Call it again '
  'while a number is at its limit';

revoke execute on all functions in schema herald from public;
grant execute on function
  herald.relay_schema_version(),
  herald.resolve_user(jsonb),
  herald.relay_epoch(),
  herald.relay_unread_counts(text[]),
  herald.relay_page(text, boolean, int, timestamptz, uuid),
  herald.relay_mark_read(text[], uuid[]),
  herald.relay_mark_all_read(text, timestamptz, xid8),
  herald.relay_tidy()
to herald_relay;

reset search_path;
