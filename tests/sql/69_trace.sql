-- What `pgherald trace` asks and is answered: behind what was committed before, and to an address that is no user's.
select no_plan();
select t.connect('a');
\set trace '\'00000000-0000-4000-8000-00000000000a\''
select pg_current_snapshot() as since \gset
select t.run('a', $$ insert into herald.notifications (user_id, title) values ('alice', 'x') $$);
select t.run('a', format('do $do$ begin perform herald.relay_trace_ask(%L, %L); end $do$', :trace, 'al"ice'));
select results_eq(format($$ select f.kind, f.user_id, case f.kind when 'm' then f.body end from herald.feed(%L) f where f.kind <> 'h' $$, :'since'),
  $$ values ('n', 'alice', null), ('m', '(trace 00000000-0000-4000-8000-00000000000a)', '"al\"ice"') $$,
  'a question comes by the feed, behind the notifications, with the user as JSON');

select herald.relay_trace_ask(:trace, 'alice') as asked \gset
select ok(:'asked'::xid8 < pg_snapshot_xmax(pg_current_snapshot()), 'asking returns its transaction');
select herald.relay_trace_answer(:trace, '{"tabs": 2}');
select results_eq(format($$ select m.body::json ->> 'backend', m.body::json ->> 'address', m.body::json -> 'answer' ->> 'tabs'
    from herald.messages m where m.xid >= %L and m.user_id = '(answer ' || %L || ')' $$, :'asked', :trace),
  $$ values (pg_backend_pid()::text, 'this machine', '2') $$, 'an answer names the backend that it came from');

select throws_ok(format('select herald.relay_trace_ask(%L, %s)', :trace, u), '22023', null, 'a user has 1 to 128 characters: ' || left(u, 9))
from unnest(array['null', '''''', 'repeat(''x'', 129)']) u;
select throws_ok(format('select herald.relay_trace_answer(%L, to_json(repeat(''x'', 65536))::text)', :trace), '22023', null, 'an answer has a bound');
select throws_ok(format('select herald.relay_trace_answer(%L, ''x'')', :trace), '22P02', null, 'and is JSON');
select throws_ok($$ select herald.relay_trace_ask(null, 'alice') $$, '22023', null, 'without a name it is no question to everybody');
select throws_ok($$ select herald.relay_trace_answer(null, '{}') $$, '22023', null, 'nor an answer to everybody');

truncate herald.messages, herald.notifications;
delete from herald.tombstones;
select * from finish();
