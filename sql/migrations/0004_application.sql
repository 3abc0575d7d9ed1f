-- pgherald 0004: the functions for applications (role herald_app). They run inside the application's transaction, so
-- nothing is sent before it commits and nothing at all if it does not.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (4, '0004_application');

create function herald.notify_user(user_id text, title text, message text default '', category text default null,
                                   severity text default 'info', action_url text default null,
                                   data jsonb default null, dedupe_key text default null,
                                   expires_at timestamptz default null)
  returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_id uuid;
begin
  if (notify_user.severity in ('info', 'success', 'warning', 'error')) is not true then
    raise invalid_parameter_value using
      message = format('severity must be info, success, warning or error, not %L', notify_user.severity);
  end if;
  loop
    insert into herald.notifications (user_id, title, message, category, severity, action_url, data, dedupe_key,
                                      expires_at)
    values (notify_user.user_id, notify_user.title, notify_user.message, notify_user.category, notify_user.severity,
            notify_user.action_url, notify_user.data, notify_user.dedupe_key, notify_user.expires_at)
    on conflict (user_id, dedupe_key) where dedupe_key is not null do nothing
    returning id into v_id;
    exit when found;
    select n.id into v_id from herald.notifications n
    where n.user_id = notify_user.user_id and n.dedupe_key = notify_user.dedupe_key;
    exit when found; -- or it has been deleted in between: insert again
  end loop;
  return v_id;
end
$$;
comment on function herald.notify_user(text, text, text, text, text, text, jsonb, text, timestamptz) is
  'stores a notification for a user and returns its id. With a dedupe_key the user already has, nothing is stored and '
  'the id of that one is returned. The limits are those of herald.notifications';

create function herald.check_message(message json) returns text
  language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
  v_type text;
begin
  if message is null or json_typeof(message) <> 'object' then
    raise invalid_parameter_value using message = 'message must be a JSON object';
  end if;
  if octet_length(message::text) > 1048576 then
    raise program_limit_exceeded using
      message = format('message has %s bytes; at most 1048576 (1 MiB) can be sent', octet_length(message::text));
  end if;
  -- Two of them would let JSON readers differ about which counts.
  if (select count(*) from json_object_keys(message) k where k = 'type') <> 1
     or json_typeof(message -> 'type') <> 'string' or message ->> 'type' = '' then
    raise invalid_parameter_value using message = 'message must have exactly one "type", a string that is not empty';
  end if;
  v_type := message ->> 'type';
  if v_type in ('connected', 'new_notification', 'notification_updated', 'notification_deleted',
                'unread_notifications', 'notifications', 'unread_count', 'resumed', 'token_expiring', 'authenticated',
                'draining', 'pong', 'error', 'ping', 'authenticate', 'resume', 'get_unread', 'get_notifications',
                'mark_read', 'mark_all_read') then
    raise invalid_parameter_value using
      message = format('"type" must not be %s: that is a message of the protocol itself', v_type);
  end if;
  return message::text;
end
$$;
comment on function herald.check_message(json) is
  'internal: text of a message that may be broadcast, or an error: an object with one string "type" that is not one of '
  'the protocol''s own, at most 1 MiB';

create function herald.broadcast_to_users(user_ids text[], message json) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_body text := herald.check_message(message);
begin
  if user_ids is null or array_position(user_ids, null) is not null then
    raise null_value_not_allowed using
      message = 'user ids must not be null', hint = 'herald.broadcast_to_all reaches everybody.';
  end if;
  insert into herald.messages (user_id, kind, body) select distinct u, 'message', v_body from unnest(user_ids) u;
end
$$;
comment on function herald.broadcast_to_users(text[], json) is
  'sends a message to every tab of these users that is connected after the commit; it is not stored for others. '
  'message: a JSON object of at most 1 MiB, passed through unchanged, with a string "type" that is not one of the '
  'protocol''s own';

create function herald.broadcast_to_user(user_id text, message json) returns void
  language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  select herald.broadcast_to_users(array[user_id], message);
end;
comment on function herald.broadcast_to_user(text, json) is 'herald.broadcast_to_users for one user';

create function herald.broadcast_to_all(message json) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into herald.messages (kind, body) values ('message', herald.check_message(message));
end
$$;
comment on function herald.broadcast_to_all(json) is 'herald.broadcast_to_users for everybody who is connected';

create function herald.disconnect_user(user_id text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  if disconnect_user.user_id is null then
    raise null_value_not_allowed using message = 'user_id must not be null';
  end if;
  insert into herald.messages (user_id, kind) values (disconnect_user.user_id, 'disconnect');
end
$$;
comment on function herald.disconnect_user(text) is
  'closes every connection of a user with code 4002, after the commit. To keep the user out, set '
  'herald.users.disabled_at as well';

create function herald.mark_read(user_id text, ids uuid[]) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  if mark_read.ids is null then
    raise null_value_not_allowed using message = 'ids must not be null';
  end if;
  return (select count(*) from herald.relay_mark_read(array_fill(mark_read.user_id, array[cardinality(mark_read.ids)]),
                                                      mark_read.ids));
end
$$;
comment on function herald.mark_read(text, uuid[]) is
  'marks these notifications of a user as read; returns how many of them the user has, also if read before';

create function herald.mark_read(user_id text, id uuid) returns boolean
  language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  select herald.mark_read(user_id, array[id]) = 1;
end;
comment on function herald.mark_read(text, uuid) is
  'marks a notification of a user as read; false when the user has no such notification';

create function herald.mark_read(user_id text, id text) returns boolean
  language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  select herald.mark_read(user_id, array[id::uuid]) = 1;
end;
comment on function herald.mark_read(text, text) is
  'the same for an id in quotes or an untyped parameter, which could be a uuid or an array of them otherwise';

create function herald.mark_all_read(user_id text, until timestamptz default null) returns bigint
  language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  select herald.relay_mark_all_read(user_id, until, null);
end;
comment on function herald.mark_all_read(text, timestamptz) is
  'marks a user''s notifications as read, all or those created until then; returns how many were not before';

create function herald.unread(user_id text, max_rows int default 10)
  returns table (id uuid, title text, message text, category text, severity text, action_url text, data jsonb,
                 created_at timestamptz, expires_at timestamptz)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
  if max_rows is null or max_rows < 0 then
    raise invalid_parameter_value using message = 'max_rows must be 0 or more';
  end if;
  return query
  select n.id, n.title, n.message, n.category, n.severity, n.action_url, n.data, n.created_at, n.expires_at
  from herald.notifications n
  where n.user_id = unread.user_id and n.read_at is null and (n.expires_at is null or n.expires_at > now())
  order by n.created_at desc, n.id desc limit max_rows;
end
$$;
comment on function herald.unread(text, int) is 'a user''s newest unread notifications, newest first';

create function herald.prune(older_than interval) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_pruned bigint;
begin
  if older_than is null or older_than < interval '0' then
    raise invalid_parameter_value using message = 'older_than must be an interval of 0 or more';
  end if;
  delete from herald.notifications n
  using (select o.id from herald.notifications o
         where o.created_at < now() - older_than or o.expires_at <= now()
         for update skip locked) gone
  where n.id = gone.id;
  get diagnostics v_pruned = row_count;
  return v_pruned;
end
$$;
comment on function herald.prune(interval) is
  'deletes notifications created longer ago than that, read or not, and expired ones; returns how many. Rows that '
  'another transaction has locked are left for the next time. Reads the whole table';

revoke execute on all functions in schema herald from public;
grant execute on function
  herald.notify_user(text, text, text, text, text, text, jsonb, text, timestamptz),
  herald.broadcast_to_user(text, json),
  herald.broadcast_to_users(text[], json),
  herald.broadcast_to_all(json),
  herald.disconnect_user(text),
  herald.mark_read(text, uuid),
  herald.mark_read(text, text),
  herald.mark_read(text, uuid[]),
  herald.mark_all_read(text, timestamptz),
  herald.unread(text, int),
  herald.prune(interval)
to herald_app;

reset search_path;
