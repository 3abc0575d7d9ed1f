-- The feed is inlined and reads by its indexes only, for the relay's role, whatever the statistics say.
select no_plan();
\set settings 'set role herald_relay; set enable_seqscan = off; set enable_bitmapscan = off; set plan_cache_mode = force_generic_plan; set jit = off; set max_parallel_workers_per_gather = 0'

create function t.feed_plan() returns setof text language sql as $$
  select p.node || coalesce(' ' || p.index_name, '') from t.plan('execute feed(null, 64)') p where p.node not in ('Result', 'ProjectSet')
$$;
create function t.expected() returns setof text language sql as $$
  values ('Append'), ('Index Scan tombstones_xid'), ('Index Scan tombstones_xid'),
         ('Index Scan notifications_xid'), ('Index Scan notifications_xid'),
         ('Subquery Scan'), ('Index Scan messages_xid'), ('Subquery Scan'), ('Index Scan messages_xid'),
         ('WindowAgg'), ('Aggregate'), ('Limit'), ('Index Only Scan notifications_unread')
$$;

:settings;
prepare feed as select * from herald.feed($1, $2);
select bag_eq('select t.feed_plan()', 'select t.expected()', 'empty tables');
reset role;

analyze herald.notifications;
insert into herald.notifications (user_id, title) select 'user ' || k % 1000, 'title ' || k from generate_series(1, 100000) k;
insert into herald.messages (kind, body) select 'message', '{"type":"x"}' from generate_series(1, 20000) k;
delete from herald.notifications where title like 'title %7';
set role herald_relay;
select bag_eq('select t.feed_plan()', 'select t.expected()', 'grown since: the plan that was made for empty tables');
deallocate feed;
prepare feed as select * from herald.feed($1, $2);
select bag_eq('select t.feed_plan()', 'select t.expected()', 'statistics that still say empty');
reset role;
analyze herald.notifications, herald.messages, herald.tombstones;
set role herald_relay;
select bag_eq('select t.feed_plan()', 'select t.expected()', 'statistics of 100,000 rows with one xid');
reset enable_bitmapscan;
deallocate feed;
prepare feed as select * from herald.feed($1, $2);
select is_empty($$ select from t.plan('execute feed(null, 64)') p where p.node in ('Seq Scan', 'Function Scan') $$,
                'with bitmap scans it reads by indexes too');
set enable_bitmapscan = off;
reset role;

-- The same without the branches for what was in progress.
set role herald_relay;
prepare settled as select * from herald.feed_settled($1, $2);
select bag_eq($$ select p.node || coalesce(' ' || p.index_name, '') from t.plan('execute settled(null, 64)') p where p.node <> 'Result' $$,
              $$ values ('Append'), ('Index Scan tombstones_xid'), ('Index Scan notifications_xid'), ('Subquery Scan'),
                        ('Index Scan messages_xid'), ('WindowAgg'), ('Aggregate'), ('Limit'), ('Index Only Scan notifications_unread') $$,
              'when nothing was in progress: half of it');
reset role;

select pg_current_snapshot() as since \gset
insert into herald.notifications (user_id, title) values ('alice', 'one');
begin;
select t.visited() as before \gset
set local role herald_relay;
select is((select count(*)::int from herald.feed(:'since', 0) where kind <> 'h'), 1, 'one row is new');
reset role;
select is(t.visited() - :before, 1::bigint, 'and one row of the table is visited');
commit;

insert into herald.notifications (user_id, title) select 'big', 'x' from generate_series(1, 5000);
insert into herald.notifications (user_id, title) select 'small', 'x' from generate_series(1, 9);
select pg_current_snapshot() as since \gset
insert into herald.notifications (user_id, title) values ('big', 'one'), ('small', 'one');
begin;
select t.visited() as before \gset
set local role herald_relay;
select results_eq(format('select user_id, unread from herald.feed(%L, 64) where kind <> ''h''', :'since'),
                  $$ values ('big', null::bigint), ('small', 10) $$, 'a user with few unread notifications is counted along');
reset role;
select cmp_ok(t.visited() - :before, '<=', (2 + 51 + 10)::bigint, 'and no row costs more than 51 others');
commit;

select * from finish();
