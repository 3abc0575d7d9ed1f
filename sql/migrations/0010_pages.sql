-- pgherald 0010: the pages that many tabs ask for at once go in one statement.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (10, '0010_pages');

-- Relays of before go on calling herald.relay_page.
create function herald.relay_pages(p_users text[], p_unread_only boolean[], p_limits int[], p_before_times timestamptz[],
                                   p_before_ids uuid[])
  returns table (unread_count bigint, notifications text, next text)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  c_bytes constant int := 4194304;
  v_bytes int := 0;
begin
  for v_i in 1 .. cardinality(p_users) loop
    select p.unread_count, p.notifications, p.next into strict unread_count, notifications, next
    from herald.relay_page(p_users[v_i], p_unread_only[v_i], p_limits[v_i], p_before_times[v_i], p_before_ids[v_i]) p;
    return next;
    -- All rows of an answer are in memory at once, there as here.
    v_bytes := v_bytes + octet_length(notifications);
    exit when v_bytes >= c_bytes;
  end loop;
end
$$;
comment on function herald.relay_pages(text[], boolean[], int[], timestamptz[], uuid[]) is
  'herald.relay_page for each place of the arrays, in their order: one row each, of one snapshot. It ends with the page '
  'that brings the answer to 4 MiB of JSON; the rest is to be asked for again';
revoke execute on function herald.relay_pages(text[], boolean[], int[], timestamptz[], uuid[]) from public;
grant execute on function herald.relay_pages(text[], boolean[], int[], timestamptz[], uuid[]) to herald_relay;

reset search_path;
