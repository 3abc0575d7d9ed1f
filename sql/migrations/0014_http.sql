-- pgherald 0014: what the HTTP API of the relay calls, and the keys of requests that must not be carried out twice.
-- As in 0003 the relay may change nothing but through these functions; each is given the user of a verified token.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (14, '0014_http');

create table herald.idempotency_keys (
  user_id text not null,
  key text not null,
  digest bytea not null,
  notification_id uuid not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (user_id, key),
  constraint idempotency_keys_key_is_1_to_255_characters check (char_length(key) between 1 and 255)
);
comment on table herald.idempotency_keys is
  'requests to create a notification that came with an Idempotency-Key, for a day: a second one with the same key of the '
  'same user is answered with what the first one stored. Its primary key is herald.relay_create''s look-up and lock';
comment on column herald.idempotency_keys.user_id is 'whose token the request had; not whom it notified';
comment on column herald.idempotency_keys.digest is 'SHA-256 of whom it notified and with what';

create index idempotency_keys_created_at on herald.idempotency_keys (created_at);
comment on index herald.idempotency_keys_created_at is 'herald.relay_create: the oldest keys, which it removes';

-- A second request with a key waits at the primary key for the first one's transaction, and then sees what it has
-- stored; it does not wait longer than lock_timeout. A key is as old as its transaction, so that one that is removed
-- because of its age is nobody's who still waits.
create function herald.relay_create(p_caller text, p_user text, p_request jsonb, p_key text)
  returns table (outcome text, id uuid, notification text)
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  c_kept constant interval := '1 day';
  v_id uuid := gen_random_uuid();
  v_digest bytea := sha256(convert_to(p_user || E'\n' || p_request::text, 'UTF8'));
  v_known herald.idempotency_keys;
begin
  if p_key is not null then
    delete from herald.idempotency_keys k
    where (k.user_id, k.key) in (select o.user_id, o.key from herald.idempotency_keys o
                                 where o.created_at < clock_timestamp() - c_kept
                                 order by o.created_at limit 10 for update skip locked);
    loop
      insert into herald.idempotency_keys (user_id, key, digest, notification_id)
      values (p_caller, p_key, v_digest, v_id) on conflict do nothing;
      exit when found;
      select k.* into v_known from herald.idempotency_keys k where k.user_id = p_caller and k.key = p_key;
      if not found then
        continue; -- it has just been removed
      end if;
      if v_known.created_at < clock_timestamp() - c_kept then
        delete from herald.idempotency_keys k
        where k.user_id = p_caller and k.key = p_key and k.created_at = v_known.created_at;
        continue;
      end if;
      id := v_known.notification_id;
      if v_known.digest <> v_digest then
        outcome := 'mismatch';
      else
        select herald.notification_json(n) into notification from herald.notifications n
        where n.id = v_known.notification_id and n.user_id = p_user;
        outcome := case when found then 'repeated' else 'gone' end;
      end if;
      return next;
      return;
    end loop;
  end if;
  insert into herald.notifications as n (id, user_id, title, message, category, severity, action_url, data, expires_at)
  values (v_id, p_user, p_request ->> 'title', coalesce(p_request ->> 'message', ''), p_request ->> 'category',
          coalesce(p_request ->> 'severity', 'info'), p_request ->> 'action_url',
          nullif(p_request -> 'data', 'null'::jsonb), (p_request ->> 'expires_at')::timestamptz)
  returning herald.notification_json(n) into notification;
  outcome := 'created';
  id := v_id;
  return next;
end
$$;
comment on function herald.relay_create(text, text, jsonb, text) is
  'stores a notification for p_user from the members title, message, category, severity, action_url, data and expires_at '
  'of p_request. outcome is created; with a key (null: none) that p_caller has used within a day also repeated (the same '
  'request: its notification as it is now), gone (the same, and its notification is no more) or mismatch (another '
  'request). Fails with 55P03 when a request with that key is still under way';

create function herald.relay_get(p_user text, p_id uuid) returns text
  language sql stable security definer set search_path = pg_catalog, pg_temp
  return (select herald.notification_json(n) from herald.notifications n
          where n.id = p_id and n.user_id = p_user and (n.expires_at is null or n.expires_at > now()));
comment on function herald.relay_get(text, uuid) is
  'a notification of this user as JSON; null when the user has no such notification';

-- The ordered index and LIMIT are the only good plan for a user with a million rows: sorts and bitmaps are off.
create function herald.relay_list(p_user text, p_unread boolean, p_category text, p_severity text, p_limit int,
                                  p_before_time timestamptz, p_before_id uuid)
  returns table (unread_count bigint, notifications text, next text, total bigint)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off
  set plan_cache_mode = force_generic_plan
as $$
declare
  c_bytes constant int := 4194304;
  v_time timestamptz := coalesce(p_before_time, 'infinity');
  v_id uuid := coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_rows refcursor;
  v_row record;
  v_parts text[] := '{}';
  v_bytes int := 0;
  v_key text;
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    raise invalid_parameter_value using message = 'p_limit must be 1 to 1000';
  end if;
  unread_count := (select count(*) from herald.notifications n
                   where n.user_id = p_user and n.read_at is null and (n.expires_at is null or n.expires_at > now()));
  if p_unread then
    open v_rows no scroll for
      select herald.notification_json(n) as body, n.created_at, n.id
      from herald.notifications n
      where n.user_id = p_user and n.read_at is null and (n.expires_at is null or n.expires_at > now())
        and (p_category is null or n.category = p_category) and (p_severity is null or n.severity = p_severity)
        and (n.created_at, n.id) < (v_time, v_id)
      order by n.created_at desc, n.id desc limit p_limit + 1;
    total := case when p_category is null and p_severity is null then unread_count else
               (select count(*) from herald.notifications n
                where n.user_id = p_user and n.read_at is null and (n.expires_at is null or n.expires_at > now())
                  and (p_category is null or n.category = p_category) and (p_severity is null or n.severity = p_severity))
             end;
  else
    open v_rows no scroll for
      select herald.notification_json(n) as body, n.created_at, n.id
      from herald.notifications n
      where n.user_id = p_user and (p_unread is null or n.read_at is not null)
        and (n.expires_at is null or n.expires_at > now())
        and (p_category is null or n.category = p_category) and (p_severity is null or n.severity = p_severity)
        and (n.created_at, n.id) < (v_time, v_id)
      order by n.created_at desc, n.id desc limit p_limit + 1;
    total := (select count(*) from herald.notifications n
              where n.user_id = p_user and (p_unread is null or n.read_at is not null)
                and (n.expires_at is null or n.expires_at > now())
                and (p_category is null or n.category = p_category) and (p_severity is null or n.severity = p_severity));
  end if;
  loop
    fetch v_rows into v_row;
    exit when not found;
    -- One more than is told says that a next page exists.
    if cardinality(v_parts) = p_limit or v_bytes >= c_bytes then
      next := v_key;
      exit;
    end if;
    v_parts := v_parts || v_row.body;
    v_bytes := v_bytes + octet_length(v_row.body);
    v_key := to_char(v_row.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '_' || v_row.id;
  end loop;
  close v_rows;
  notifications := '[' || array_to_string(v_parts, ',') || ']';
  return next;
end
$$;
comment on function herald.relay_list(text, boolean, text, text, int, timestamptz, uuid) is
  'herald.relay_page with filters, each null for any: p_unread (true unread, false read), category, severity; and total, '
  'the exact number of the user''s notifications that they let through, on all pages';

create function herald.relay_set_read(p_user text, p_id uuid, p_read boolean) returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set plan_cache_mode = force_generic_plan
as $$
begin
  update herald.notifications n set read_at = case when p_read then clock_timestamp() end
  where n.id = p_id and n.user_id = p_user and (n.read_at is null) = p_read
    and (n.expires_at is null or n.expires_at > now());
  -- A statement of its own: it sees what was committed while the lock was waited for.
  return herald.relay_get(p_user, p_id);
end
$$;
comment on function herald.relay_set_read(text, uuid, boolean) is
  'marks a notification of this user as read or unread, and returns its present state, also when it was so before; null '
  'when the user has no such notification';

create function herald.relay_read_all(p_user text, p_until timestamptz) returns table (marked bigint, unread_count bigint)
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  marked := herald.relay_mark_all_read(p_user, p_until, null);
  unread_count := (select c.count from herald.relay_unread_counts(array[p_user]) c);
  return next;
end
$$;
comment on function herald.relay_read_all(text, timestamptz) is
  'herald.relay_mark_all_read for a user, all or those created until then: how many were marked, and the exact number '
  'that is unread now. May fail with 40P01 (deadlock): repeat it';

create function herald.relay_delete(p_user text, p_id uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set plan_cache_mode = force_generic_plan
as $$
begin
  delete from herald.notifications n
  where n.id = p_id and n.user_id = p_user and (n.expires_at is null or n.expires_at > now());
  return found;
end
$$;
comment on function herald.relay_delete(text, uuid) is
  'deletes a notification of this user; false when the user has no such notification';

revoke execute on function
  herald.relay_create(text, text, jsonb, text),
  herald.relay_get(text, uuid),
  herald.relay_list(text, boolean, text, text, int, timestamptz, uuid),
  herald.relay_set_read(text, uuid, boolean),
  herald.relay_read_all(text, timestamptz),
  herald.relay_delete(text, uuid)
from public;
grant execute on function
  herald.relay_create(text, text, jsonb, text),
  herald.relay_get(text, uuid),
  herald.relay_list(text, boolean, text, text, int, timestamptz, uuid),
  herald.relay_set_read(text, uuid, boolean),
  herald.relay_read_all(text, timestamptz),
  herald.relay_delete(text, uuid)
to herald_relay;

reset search_path;
