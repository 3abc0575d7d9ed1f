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

revoke execute on function herald.feed(pg_snapshot, int) from public;
grant execute on function herald.feed(pg_snapshot, int) to herald_relay;

reset search_path;
