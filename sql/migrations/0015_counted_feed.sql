-- pgherald 0015: the feed counts along. A change and its user's exact unread total are of one snapshot and leave the relay
-- in one write; a statement of its own, after every window, is left for what is not counted here.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (15, '0015_counted_feed');

-- row_number() without an order numbers the rows as they stream.
create function herald.feed(since pg_snapshot, count_rows int)
  returns table (kind text, user_id text, id text, version int, body text,
                 snapshot text, xmin text, insert_lsn text, flush_lsn text, unread bigint)
  language sql stable
begin atomic
  select f.kind, f.user_id, f.id, f.version, f.body, f.snapshot, f.xmin, f.insert_lsn, f.flush_lsn,
         case when row_number() over () <= count_rows and f.kind in ('n', 'u', 'd') then
           (select case when count(*) <= 50 then count(*) filter (where c.expires_at is null or c.expires_at > now()) end
            from (select n.expires_at from herald.notifications n
                  where n.user_id = f.user_id and n.read_at is null limit 51) c)
         end
  from herald.feed(since) f;
end;
comment on function herald.feed(pg_snapshot, int) is
  'what has become visible since a snapshot, as herald.feed(pg_snapshot), and for the notifications among the first '
  'count_rows rows unread: the exact number of their users'' unread notifications in the same snapshot; null where '
  'they are more than 50, so that no row costs more than it is worth (herald_relay; primary only). To be run alike';

-- Most looks of a relay begin where nobody was writing. Half of the feed's branches then find nothing, whatever there
-- is, and beginning and ending them is most of what a look for one row costs.
create function herald.feed_settled(since pg_snapshot, count_rows int)
  returns table (kind text, user_id text, id text, version int, body text,
                 snapshot text, xmin text, insert_lsn text, flush_lsn text, unread bigint)
  language sql stable
begin atomic
  select f.kind, f.user_id, f.id, f.version, f.body, f.snapshot, f.xmin, f.insert_lsn, f.flush_lsn,
         case when row_number() over () <= count_rows and f.kind in ('n', 'u', 'd') then
           (select case when count(*) <= 50 then count(*) filter (where c.expires_at is null or c.expires_at > now()) end
            from (select n.expires_at from herald.notifications n
                  where n.user_id = f.user_id and n.read_at is null limit 51) c)
         end
  from (
    select 'h' as kind, null::text as user_id, null::text as id, null::int as version, null::text as body,
           pg_current_snapshot()::text as snapshot, pg_snapshot_xmin(pg_current_snapshot())::text as xmin,
           (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text as insert_lsn,
           (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text as flush_lsn
    union all
    select case when t.user_id is null then 't' else 'd' end, t.user_id, t.notification_id::text, null, null,
           null, null, null, null
    from herald.tombstones t
    where t.xid >= pg_snapshot_xmax(since) and t.xid < pg_snapshot_xmax(pg_current_snapshot())
    union all
    select case when n.expires_at <= now() then 'd'
                when pg_visible_in_snapshot(n.created_xid, since) then 'u' else 'n' end,
           n.user_id, n.id::text, n.version,
           case when n.expires_at <= now() then null else herald.notification_json(n) end,
           null, null, null, null
    from herald.notifications n
    where n.xid >= pg_snapshot_xmax(since) and n.xid < pg_snapshot_xmax(pg_current_snapshot())
    union all
    (select case m.kind when 'message' then 'm' else 'x' end, m.user_id, m.id::text, null, m.body,
            null, null, null, null
     from herald.messages m
     where m.xid >= pg_snapshot_xmax(since) and m.xid < pg_snapshot_xmax(pg_current_snapshot())
     order by m.xid, m.id)) f;
end;
comment on function herald.feed_settled(pg_snapshot, int) is
  'herald.feed(pg_snapshot, int) for a snapshot without transactions in progress, whose pg_snapshot_xmin is its '
  'pg_snapshot_xmax: the same rows for less. Of any other snapshot it misses rows (herald_relay; primary only)';

revoke execute on function herald.feed(pg_snapshot, int), herald.feed_settled(pg_snapshot, int) from public;
grant execute on function herald.feed(pg_snapshot, int), herald.feed_settled(pg_snapshot, int) to herald_relay;

reset search_path;
