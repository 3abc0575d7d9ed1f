-- pgherald 0008: catching a user up reads that user's rows only.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (8, '0008_resume_plan');

-- A user's rows are found through notifications_inbox and filtered by xid: an index of its own would cost every writer.
-- xid8cmp, the comparison of pairs and OFFSET 0 keep the planner, whatever it knows of the tables, from the indexes on
-- xid, where it would read everybody's changes since the cursor for each user.
-- The order is total, so that a large catch-up can be read in pieces while its client takes them.
create or replace function herald.relay_resume(p_users text[], p_since xid8[], p_after_xid xid8[], p_after_rank int[],
                                               p_after_id uuid[], p_rows int, p_bytes int)
  returns table (n int, kind text, id uuid, version int, body text, xid text, rank int)
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp
  set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_complete_since xid8 := (select s.tombstones_pruned_xid from herald.state s);
  -- The order is that of tombstones_user, so that no other index is tried.
  v_truncated xid8 := (select t.xid from herald.tombstones t where t.user_id is null
                       order by t.user_id desc, t.xid desc limit 1);
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
      from (select u.rank, u.id, u.xid, u.kind, u.version
            from (select 0 as rank, t.notification_id as id, t.xid, 'd' as kind, null::int as version
                  from herald.tombstones t
                  where t.user_id = p_users[k] and (t.user_id, t.xid) >= (p_users[k], p_since[k])
                  union all
                  select 1, m.id, m.xid,
                         case when m.expires_at <= now() then 'd' when m.created_xid >= p_since[k] then 'n' else 'u' end,
                         m.version
                  from herald.notifications m
                  where m.user_id = p_users[k] and xid8cmp(m.xid, p_since[k]) >= 0
                  offset 0) u
            where (u.xid, u.rank, u.id) > (p_after_xid[k], p_after_rank[k], p_after_id[k])
            order by u.xid, u.rank, u.id
            limit p_rows + 1) c
           left join herald.notifications r on c.rank = 1 and r.id = c.id
      order by c.xid, c.rank, c.id
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
reset search_path;
