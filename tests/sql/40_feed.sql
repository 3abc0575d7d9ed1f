-- What the feed says about every way a row can become visible between two snapshots. Sessions write; this one reads.
select no_plan();
select t.connect('a');
select t.connect('b');
\set now 'select pg_current_snapshot() as since \\gset'
create function t.put(session text, title text, owner text default 'alice') returns text language sql as $$
  select t.run(session, format('insert into herald.notifications (user_id, title) values (%L, %L)', owner, title))
$$;

:now
select results_eq($$ select kind, user_id, id, version, body from herald.feed(pg_current_snapshot()) $$,
                  $$ values ('h', null::text, null::text, null::int, null::text) $$, 'nothing happened: the header alone');
select ok(f.snapshot = pg_current_snapshot()::text and f.xmin = pg_snapshot_xmin(pg_current_snapshot())::text,
          'the header has the snapshot of the statement and its xmin')
from herald.feed(:'since') f;
select ok(f.insert_lsn::numeric >= f.flush_lsn::numeric and f.flush_lsn::numeric > 0, 'and WAL positions in bytes')
from herald.feed(:'since') f;

select t.put('a', 'one');
select results_eq($$ select kind from herald.feed($$ || quote_literal(:'since') || $$) $$, $$ values ('h'), ('n') $$,
                  'the header is the first row');
select results_eq(format('select t.changes(%L)', :'since'), array['n alice one v1'], 'an insert is new');
:now
select is_empty(format('select t.changes(%L)', :'since'), 'and is not told again');
select t.run('a', $$ update herald.notifications set message = 'x' where title = 'one' $$);
select results_eq(format('select t.changes(%L)', :'since'), array['u alice one v2'], 'an update of a row known before');
:now
select t.run('a', 'begin');
select t.put('a', 'two');
select t.run('a', $$ update herald.notifications set message = 'x' where title = 'two' $$);
select t.run('a', 'commit');
select results_eq(format('select t.changes(%L)', :'since'), array['n alice two v2'], 'inserted and updated in one transaction: new');
:now
select t.put('a', 'three');
select t.run('b', $$ update herald.notifications set message = 'x' where title = 'three' $$);
select results_eq(format('select t.changes(%L)', :'since'), array['n alice three v2'], 'in two transactions: new, once, its last state');

-- Late commits.
select t.run('a', 'begin');
select t.put('a', 'late');
select t.put('b', 'early');
:now
select t.run('b', $$ update herald.notifications set message = 'x' where title = 'early' $$);
select results_eq(format('select t.changes(%L)', :'since'), array['u alice early v2'], 'a running transaction is not seen');
select pg_current_snapshot() as later \gset
select t.run('a', 'commit');
select results_eq(format('select t.changes(%L)', :'later'), array['n alice late v1'],
                  'one that commits late, with an id older than rows already told, is seen');
select set_eq(format('select t.changes(%L)', :'since'), array['u alice early v2', 'n alice late v1'],
              'from both snapshots before it');
:now
select is_empty(format('select t.changes(%L)', :'since'), 'and once only');

select t.run('a', 'begin');
select t.put('a', 'held');
:now
select t.run('a', 'commit');
select t.run('b', $$ update herald.notifications set message = 'x' where title = 'held' $$);
select results_eq(format('select t.changes(%L)', :'since'), array['n alice held v2'],
                  'a row of a transaction that was running, changed by a later one, is new');
:now

select t.run('a', 'begin');
select t.run('a', $$ update herald.notifications set message = 'late' where title = 'one' $$);
:now
select t.run('a', 'commit');
select results_eq(format('select t.changes(%L)', :'since'), array['u alice one v3'],
                  'a late update of an old row is an update');

select t.run('a', 'begin');
select t.put('a', 'gone');
:now
select t.put('a', 'gone too');
select t.run('a', 'rollback');
select is_empty(format('select t.changes(%L)', :'since'), 'a transaction that rolls back is never seen');
select t.run('a', 'begin');
select t.put('a', 'kept');
select t.run('a', 'savepoint s');
select t.put('a', 'dropped');
select t.run('a', 'rollback to s');
select t.run('a', 'savepoint s');
select t.put('a', 'nested');
:now
select t.run('a', 'commit');
select set_eq(format('select t.changes(%L)', :'since'), array['n alice kept v1', 'n alice nested v1'],
              'savepoints: what was kept, and nothing of what was rolled back');
:now
select t.run('a', 'set herald.quiet = on');
select t.run('a', 'begin');
select t.put('a', 'prepared');
select t.run('a', $$ prepare transaction 'p' $$);
select is_empty(format('select t.changes(%L)', :'since'), 'a prepared transaction is not seen');
:now
select t.run('b', $$ commit prepared 'p' $$);
select results_eq(format('select t.changes(%L)', :'since'), array['n alice prepared v1'], 'until it is committed');
:now
select t.run('a', 'begin isolation level serializable');
select t.put('a', 'serial');
select t.run('a', 'commit');
select t.run('a', 'begin isolation level repeatable read');
select t.put('a', 'repeatable');
select t.run('a', 'commit');
select set_eq(format('select t.changes(%L)', :'since'), array['n alice serial v1', 'n alice repeatable v1'], 'every isolation level');

-- Deletes, moves, truncate, expiry.
truncate herald.notifications;
truncate herald.tombstones;
insert into herald.notifications (id, user_id, title) select format('00000000-0000-4000-8000-0000000000%s', k)::uuid, 'alice', 'row ' || k
  from generate_series(10, 20) k;
:now
select t.run('a', $$ delete from herald.notifications where title = 'row 10' $$);
select results_eq(format('select t.changes(%L)', :'since'), array['d alice 10'], 'a delete');
:now
select t.run('a', $$ insert into herald.notifications (id, user_id, title) values ('00000000-0000-4000-8000-000000000030', 'alice', 'brief') $$);
select t.run('a', $$ delete from herald.notifications where title = 'brief' $$);
select results_eq(format('select t.changes(%L)', :'since'), array['d alice 30'], 'inserted and deleted in between: the delete alone');
:now
select t.run('a', 'begin');
select t.run('a', $$ delete from herald.notifications where title = 'row 11' $$);
select t.run('a', $$ insert into herald.notifications (id, user_id, title) values ('00000000-0000-4000-8000-000000000011', 'alice', 'again') $$);
select t.run('a', 'commit');
select results_eq(format('select t.changes(%L)', :'since'), array['d alice 11', 'n alice again v1'],
                  'deleted and inserted again: the delete comes first');
select t.run('a', 'begin');
select t.run('a', $$ delete from herald.notifications where title = 'row 12' $$);
:now
select t.run('a', 'commit');
select results_eq(format('select t.changes(%L)', :'since'), array['d alice 12'], 'a delete that commits late');
select t.run('a', 'begin');
select t.run('a', $$ delete from herald.notifications $$);
:now
select t.run('a', 'rollback');
select is_empty(format('select t.changes(%L)', :'since'), 'a delete that is rolled back');
select t.run('a', $$ update herald.notifications set user_id = 'bob' where title = 'row 13' $$);
select results_eq(format('select t.changes(%L)', :'since'), array['d alice 13', 'n bob row 13 v2'],
                  'another user: deleted for the one, new for the other');
:now
select t.run('a', $$ update herald.notifications set user_id = 'carol' where title = 'row 13' $$);
select t.run('a', $$ update herald.notifications set user_id = 'bob' where title = 'row 13' $$);
select results_eq(format('select t.changes(%L)', :'since'), array['d bob 13', 'd carol 13', 'n bob row 13 v4'],
                  'there and back: new after its delete');
:now
select t.run('a', $$ update herald.notifications set id = '00000000-0000-4000-8000-000000000099' where title = 'row 13' $$);
select results_eq(format('select t.changes(%L)', :'since'), array['d bob 13', 'n bob row 13 v5'], 'another id');
:now
select t.run('a', $$ update herald.notifications set expires_at = now() - interval '1 s' where title = 'row 14' $$);
select t.run('a', $$ update herald.notifications set expires_at = now() + interval '1 h' where title = 'row 15' $$);
select set_eq(format('select t.changes(%L)', :'since'), array['d alice 14 v2', 'u alice row 15 v2'],
              'a row that has expired is deleted, one that will is not');
select is(f.body, null, 'and has no body') from herald.feed(:'since') f where f.kind = 'd';
:now
select t.run('a', 'truncate herald.notifications');
select results_eq(format('select t.changes(%L)', :'since'), array['t *'], 'TRUNCATE');
:now
select t.run('a', 'begin');
select t.run('a', 'truncate herald.notifications');
select t.put('a', 'fresh');
select t.run('a', 'commit');
select results_eq(format('select t.changes(%L)', :'since'), array['t *', 'n alice fresh v1'], 'rows after TRUNCATE come after it');

-- Messages.
:now
select t.get('a', $$ select herald.broadcast_to_user('alice', '{"type":"one"}')::text $$);
select t.get('a', $$ select herald.broadcast_to_all('{"type":"two"}')::text $$);
select t.get('a', $$ select herald.broadcast_to_users('{alice,bob}', '{"type":"three"}')::text $$);
select t.get('a', $$ select herald.disconnect_user('alice')::text $$);
select results_eq(format('select t.changes(%L)', :'since'),
                  array['m alice one', 'm * two', 'm alice three', 'm bob three', 'x alice 5'],
                  'messages in the order in which they were sent, then the disconnect');
:now
select t.run('a', 'begin');
select t.get('a', $$ select herald.broadcast_to_all('{"type":"late 1"}')::text $$);
select t.get('a', $$ select herald.broadcast_to_all('{"type":"late 2"}')::text $$);
:now
select t.get('b', $$ select herald.broadcast_to_all('{"type":"between"}')::text $$);
select t.run('a', 'commit');
select set_eq(format('select t.changes(%L)', :'since'), array['m * between', 'm * late 1', 'm * late 2'], 'late messages');
select results_eq(format($$ select c from t.changes(%L) c where c like '%%late%%' $$, :'since'),
                  array['m * late 1', 'm * late 2'], 'in the order of their transaction');
:now
select t.run('a', 'begin');
select t.get('a', $$ select herald.broadcast_to_all('{"type":"never"}')::text $$);
select t.run('a', 'rollback');
select is_empty(format('select t.changes(%L)', :'since'), 'a message of a transaction that rolls back is never sent');

-- Counted along.
truncate herald.notifications;
insert into herald.notifications (user_id, title, expires_at, read_at) values
  ('alice', 'unread', null, null), ('alice', 'read', null, now()), ('alice', 'expired', now() - interval '1 s', null),
  ('alice', 'expires', now() + interval '1 h', null);
insert into herald.notifications (user_id, title) select 'many', 'x' from generate_series(1, 49);
create function t.totals(since text, count_rows int) returns setof text language sql as $$
  select concat_ws(' ', f.kind, f.user_id, coalesce(f.unread::text, '-'))
  from herald.feed(since::pg_snapshot, count_rows) f where f.kind <> 'h'
$$;
create function t.now_unread(who text) returns bigint language sql as $$
  select count from herald.relay_unread_counts(array[who])
$$;
:now
select t.put('a', 'one more');
select results_eq(format('select t.totals(%L, 64)', :'since'), array['n alice 3'], 'unread and not expired, this one among them');
select is(t.now_unread('alice'), 3::bigint, 'as herald.relay_unread_counts has it');
:now
select t.run('a', $$ update herald.notifications set read_at = now() where title = 'one more' $$);
select results_eq(format('select t.totals(%L, 64)', :'since'), array['u alice 2'], 'a read');
:now
select t.run('a', $$ delete from herald.notifications where title = 'unread' $$);
select results_eq(format('select t.totals(%L, 64)', :'since'), array['d alice 1'], 'a delete');
:now
select t.run('a', $$ update herald.notifications set expires_at = now() - interval '1 s' where title = 'expires' $$);
select results_eq(format('select t.totals(%L, 64)', :'since'), array['d alice 0'], 'one that has expired; nothing is left');
:now
select t.put('a', 'the fiftieth', 'many');
select results_eq(format('select t.totals(%L, 64)', :'since'), array['n many 50'], 'fifty are counted');
select t.put('a', 'the next', 'many');
select results_eq(format('select t.totals(%L, 64)', :'since'), array['n many -', 'n many -'], 'more are not');
:now
select t.put('a', 'two', 'bob');
select t.put('a', 'three', 'bob');
select t.get('a', $$ select herald.broadcast_to_user('bob', '{"type":"one"}')::text $$);
select results_eq(format('select t.totals(%L, 64)', :'since'), array['n bob 2', 'n bob 2', 'm bob -'],
                  'each row has the total of the snapshot; messages have none');
select results_eq(format('select t.totals(%L, 2)', :'since'), array['n bob 2', 'n bob -', 'm bob -'],
                  'as many rows as wanted are counted, the header among them');
select results_eq(format('select t.totals(%L, 0)', :'since'), array['n bob -', 'n bob -', 'm bob -'], 'or none');

-- Where nothing was in progress. The header apart, whose WAL positions move on.
truncate herald.notifications;
truncate herald.tombstones;
:now
select is(pg_snapshot_xmin(:'since'), pg_snapshot_xmax(:'since'), 'a snapshot without transactions in progress');
select t.put('a', 'one');
select t.put('a', 'two');
select t.run('a', $$ update herald.notifications set read_at = now() where title = 'two' $$);
select t.run('a', $$ insert into herald.notifications (user_id, title, expires_at) values ('alice', 'three', now() - interval '1 s') $$);
select t.run('a', $$ insert into herald.notifications (id, user_id, title) values ('00000000-0000-4000-8000-000000000040', 'bob', 'four') $$);
select t.run('a', $$ delete from herald.notifications where title = 'four' $$);
select t.get('a', $$ select herald.broadcast_to_user('bob', '{"type":"one"}')::text $$);
select results_eq(format('select * from herald.feed_settled(%L, 3) where kind <> ''h''', :'since'),
                  format('select * from herald.feed(%L, 3) where kind <> ''h''', :'since'), 'the same rows, in the same order, counted alike');
select is((select count(*)::int from herald.feed_settled(:'since', 3)), 6, 'all of them, and the header');

select is_empty($$ select from herald.feed(null) where kind <> 'h' $$, 'since null: no rows');
select throws_ok($$ select * from herald.feed('x') $$, '22P02', null, 'since that is no snapshot');
select throws_ok($$ select * from herald.feed('5:1:') $$, '22P02', null, 'since that contradicts itself');

select * from finish();
