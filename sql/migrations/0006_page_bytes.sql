-- pgherald 0006: a page has a bound in bytes, not only in rows.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (6, '0006_page_bytes');

-- A hundred notifications of 4 MiB would be read, copied and queued as one answer. The page ends once its rows have
-- 4 MiB of JSON and gives the rest as `next`. Rows are read one by one, so that no more of them are made than are told.
create or replace function herald.relay_page(p_user text, p_unread_only boolean, p_limit int,
                                             p_before_time timestamptz, p_before_id uuid)
  returns table (unread_count bigint, notifications text, next text)
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
  if p_unread_only then
    open v_rows no scroll for
      select herald.notification_json(n) as body, n.created_at, n.id
      from herald.notifications n
      where n.user_id = p_user and n.read_at is null and (n.expires_at is null or n.expires_at > now())
        and (n.created_at, n.id) < (v_time, v_id)
      order by n.created_at desc, n.id desc limit p_limit + 1;
  else
    open v_rows no scroll for
      select herald.notification_json(n) as body, n.created_at, n.id
      from herald.notifications n
      where n.user_id = p_user and (n.expires_at is null or n.expires_at > now())
        and (n.created_at, n.id) < (v_time, v_id)
      order by n.created_at desc, n.id desc limit p_limit + 1;
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
  unread_count := (select count(*) from herald.notifications n
                   where n.user_id = p_user and n.read_at is null
                     and (n.expires_at is null or n.expires_at > now()));
  notifications := '[' || array_to_string(v_parts, ',') || ']';
  return next;
end
$$;
comment on function herald.relay_page(text, boolean, int, timestamptz, uuid) is
  'one row: the user''s exact unread count; a JSON array of up to p_limit (1 to 1000) notifications older than '
  '(p_before_time, p_before_id), newest first, from the newest when they are null, fewer once they have 4 MiB; and next, '
  'the key of the last one as created_at_id, null when no more follow. Expired notifications are left out';

reset search_path;
