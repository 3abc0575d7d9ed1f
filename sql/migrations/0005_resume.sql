-- pgherald 0005: what changed for users since their clients' cursors.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (5, '0005_resume');

-- A user's rows are found through notifications_inbox and filtered by xid: an index of its own would cost every writer.
-- The order is total, so that a large catch-up can be read in pieces while its client takes them.
create function herald.relay_resume(p_users text[], p_since xid8[], p_after_xid xid8[], p_after_rank int[],
                                    p_after_id uuid[], p_rows int, p_bytes int)
  returns table (n int, kind text, id uuid, version int, body text, xid text, rank int)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_complete_since xid8 := (select s.tombstones_pruned_xid from herald.state s);
  v_truncated xid8 := (select t.xid from herald.tombstones t where t.user_id is null order by t.xid desc limit 1);
  v_change record;
  v_rows int;
  v_bytes bigint;
begin
  for k in 1 .. coalesce(cardinality(p_users), 0) loop
    n := k;
    v_rows := 0;
    v_bytes := 0;
    if p_since[k] < v_complete_since or p_since[k] <= v_truncated then
      select 'r', null, null, null, null, null into kind, id, version, body, xid, rank;
      return next;
      continue;
    end if;
    for v_change in
      select c.rank, c.id, c.xid, c.kind, c.version, case when c.kind <> 'd' then herald.notification_json(r) end as body
      from (select 0 as rank, t.notification_id as id, t.xid, 'd' as kind, null::int as version
            from herald.tombstones t
            where t.user_id = p_users[k] and t.xid >= p_since[k]
            union all
            select 1, m.id, m.xid,
                   case when m.expires_at <= now() then 'd' when m.created_xid >= p_since[k] then 'n' else 'u' end,
                   m.version
            from herald.notifications m
            where m.user_id = p_users[k] and m.xid >= p_since[k]) c
           left join herald.notifications r on c.rank = 1 and r.id = c.id
      where (c.xid, c.rank, c.id) > (p_after_xid[k], p_after_rank[k], p_after_id[k])
      order by c.xid, c.rank, c.id
      limit p_rows + 1
    loop
      v_rows := v_rows + 1;
      v_bytes := v_bytes + coalesce(octet_length(v_change.body), 0);
      exit when v_rows > p_rows or (v_rows > 1 and v_bytes > p_bytes);
      kind := v_change.kind;
      id := v_change.id;
      version := v_change.version;
      body := v_change.body;
      xid := v_change.xid::text;
      rank := v_change.rank;
      return next;
    end loop;
    select case when v_rows > p_rows or (v_rows > 1 and v_bytes > p_bytes) then 'm' else 'e' end,
           null, null, null, null, null
    into kind, id, version, body, xid, rank;
    return next;
  end loop;
end
$$;
comment on function herald.relay_resume(text[], xid8[], xid8[], int[], uuid[], int, int) is
  'for each k what changed for p_users[k] in transactions from p_since[k] on, after the place (p_after_xid[k], '
  'p_after_rank[k], p_after_id[k]), at most p_rows rows and about p_bytes bytes: n = k; kind n, u or d as in '
  'herald.feed; the place of each in xid, rank, id. Then one row of kind e (all told), m (more follow) or r (too long '
  'ago, or truncated since: read everything again)';

revoke execute on function herald.relay_resume(text[], xid8[], xid8[], int[], uuid[], int, int) from public;
grant execute on function herald.relay_resume(text[], xid8[], xid8[], int[], uuid[], int, int) to herald_relay;

reset search_path;
