-- What the HTTP API calls: create with and without a key, also at the same time; read, list, mark and delete one's own.
select no_plan();
select t.connect('a');
select t.connect('b');

-- Creating.
select results_eq($$ select outcome, notification::json ->> 'title', notification::json ->> 'message', notification::json ->> 'severity',
                            notification::json ->> 'category', notification::json ->> 'data', (notification::json ->> 'id')::uuid = id
                     from herald.relay_create('alice', 'alice', '{"title": "Hello"}', null) $$,
                  $$ values ('created', 'Hello', '', 'info', null::text, null::text, true) $$, 'a title is enough');
select results_eq($$ select notification::json ->> 'message', notification::json ->> 'severity', notification::json ->> 'category',
                            notification::json ->> 'action_url', notification::json -> 'data' ->> 'a', notification::json ->> 'is_read'
                     from herald.relay_create('alice', 'bob', '{"title": "x", "message": "m", "severity": "error", "category": "c",
                       "action_url": "/u", "data": {"a": 1.10}, "expires_at": "2999-01-01T00:00:00Z", "id": "no", "read_at": "no"}', null) $$,
                  $$ values ('m', 'error', 'c', '/u', '1.10', 'false') $$, 'and every other member has its place');
select results_eq($$ select user_id, expires_at from herald.notifications where category = 'c' $$,
                  $$ values ('bob', timestamptz '2999-01-01T00:00:00Z') $$, 'for whom it is meant to be');
select is(data, null, 'null is no data') from herald.notifications where title = 'Hello';
select throws_ok($$ select herald.relay_create('alice', 'alice', '{"title": null}', null) $$, '23502', null, 'there is no notification without a title');
select throws_ok($$ select herald.relay_create('alice', 'alice', '{"title": "x", "severity": "fatal"}', null) $$, '23514', null, 'nor one of another severity');
select throws_ok($$ select herald.relay_create('alice', 'alice', '{"title": "x", "expires_at": "2026-02-30T00:00:00Z"}', null) $$, '22008', null, 'nor one that expires on no day');

-- Keys.
create function t.create(caller text, who text, request jsonb, key text) returns text language sql as $$
  select c.outcome || case when c.notification is null then ', no row' else '' end from herald.relay_create(caller, who, request, key) c
$$;
create function t.stored(title text) returns int language sql as $$
  select count(*)::int from herald.notifications n where n.title = stored.title
$$;
select is(t.create('alice', 'alice', '{"title": "once"}', 'k1'), 'created', 'a key is new');
select is(t.create('alice', 'alice', '{"title": "once"}', 'k1'), 'repeated', 'then it is known');
select is(t.create('alice', 'alice', '{ "title":"once" }', 'k1'), 'repeated', 'blanks make no other request');
select is(t.create('alice', 'alice', '{"title": "twice"}', 'k1'), 'mismatch, no row', 'another text does');
select is(t.create('alice', 'bob', '{"title": "once"}', 'k1'), 'mismatch, no row', 'and another user');
select is(t.create('bob', 'alice', '{"title": "once"}', 'k1'), 'created', 'somebody else has keys of his own');
select is(t.stored('once'), 2, 'and each has stored one');
select is(t.create('alice', 'alice', '{"title": "gone"}', 'k2'), 'created', 'a notification');
delete from herald.notifications where title = 'gone';
select is(t.create('alice', 'alice', '{"title": "gone"}', 'k2'), 'gone, no row', 'that has been deleted does not come back');
select is(t.stored('gone'), 0, 'indeed');
select throws_ok($$ select herald.relay_create('alice', 'alice', '{"title": "x", "severity": "fatal"}', 'k3') $$, '23514', null, 'a request that fails');
select is(t.create('alice', 'alice', '{"title": "x"}', 'k3'), 'created', 'leaves its key free');
select throws_ok($$ select herald.relay_create('alice', 'alice', '{"title": "x"}', repeat('k', 256)) $$, '23514', null, 'a key has 255 characters at most');
update herald.idempotency_keys set created_at = now() - interval '1 day 1 second' where key = 'k1';
select is(t.create('alice', 'alice', '{"title": "twice"}', 'k1'), 'created', 'after a day it is free again');
insert into herald.idempotency_keys select 'eve', 'old ' || k, '', gen_random_uuid(), now() - interval '2 days' from generate_series(1, 25) k;
select t.create('alice', 'alice', '{"title": "x"}', 'sweep ' || k) from generate_series(1, 3) k;
select is_empty($$ select from herald.idempotency_keys where user_id = 'eve' $$, 'whoever brings a key clears away ten old ones');

-- Two at the same time.
select t.run('a', 'begin');
select t.get('a', $$ select t.create('alice', 'alice', '{"title": "race"}', 'r1') $$);
select dblink_send_query('b', $$ select t.create('alice', 'alice', '{"title": "race"}', 'r1') $$);
select ok(t.waits(), 'the second of two waits for the first');
select t.run('a', 'commit');
select results_eq($$ select * from dblink_get_result('b') as r (x text) $$, array['repeated'], 'and has what that one has stored');
select * from dblink_get_result('b') as r (x text);
select is(t.stored('race'), 1, 'which is one');
select t.run('a', 'begin');
select t.get('a', $$ select t.create('alice', 'alice', '{"title": "undone"}', 'r2') $$);
select dblink_send_query('b', $$ select t.create('alice', 'alice', '{"title": "undone"}', 'r2') $$);
select t.waits();
select t.run('a', 'rollback');
select results_eq($$ select * from dblink_get_result('b') as r (x text) $$, array['created'], 'if the first is undone the second is the first');
select * from dblink_get_result('b') as r (x text);
select t.run('a', 'begin');
select t.get('a', $$ select t.create('alice', 'alice', '{"title": "slow"}', 'r3') $$);
set lock_timeout = '50ms';
select throws_ok($$ select t.create('alice', 'alice', '{"title": "slow"}', 'r3') $$, '55P03', null, 'nobody waits longer than the lock timeout');
reset lock_timeout;
select t.run('a', 'rollback');

-- One's own, and nobody else's.
truncate herald.notifications;
insert into herald.notifications (id, user_id, title, category, severity, created_at, read_at, expires_at)
select format('00000000-0000-4000-8000-%s', lpad(k::text, 12, '0'))::uuid, case when k <= 40 then 'alice' else 'bob' end, k::text,
       case when k % 2 = 0 then 'even' end, case when k % 4 = 0 then 'error' else 'info' end,
       timestamptz '2026-01-01T00:00:00Z' + k * interval '1 second', case when k % 5 = 0 then now() end, case when k = 40 then now() end
from generate_series(1, 50) k;
\set one '00000000-0000-4000-8000-000000000001'
\set expired '00000000-0000-4000-8000-000000000040'
\set hers '00000000-0000-4000-8000-000000000041'
select is(herald.relay_get('alice', :'one')::json ->> 'title', '1', 'one''s own can be read');
select is(herald.relay_get('alice', id), null, 'another''s, an expired one and none cannot')
from unnest(array[:'hers', :'expired', '00000000-0000-4000-8000-000000000099']::uuid[]) id;

create function t.list(unread boolean, category text, severity text, max_rows int, before text default null) returns text language sql as $$
  select format('%s of %s, %s unread, next %s', coalesce((select string_agg(e ->> 'title', ' ') from json_array_elements(l.notifications::json) e), 'none'),
                l.total, l.unread_count, coalesce(substr(split_part(l.next, '_', 2), 35), '-'))
  from herald.relay_list('alice', unread, category, severity, max_rows,
                         split_part(before, '_', 1)::timestamptz, split_part(before, '_', 2)::uuid) l
$$;
select is(t.list(null, null, null, 3), '39 38 37 of 39, 32 unread, next 37', 'all of them, newest first');
select is(t.list(true, null, null, 3), '39 38 37 of 32, 32 unread, next 37', 'the unread ones');
select is(t.list(false, null, null, 3), '35 30 25 of 7, 32 unread, next 25', 'those that were read');
select is(t.list(null, 'even', null, 3), '38 36 34 of 19, 32 unread, next 34', 'of a category');
select is(t.list(null, 'odd', null, 3), 'none of 0, 32 unread, next -', 'of one that none has');
select is(t.list(null, null, 'error', 3), '36 32 28 of 9, 32 unread, next 28', 'of a severity');
select is(t.list(true, 'even', 'error', 100), '36 32 28 24 16 12 8 4 of 8, 32 unread, next -', 'of all that together');
select is(t.list(false, 'even', 'error', 100), '20 of 1, 32 unread, next -', 'and of those that were read');
select is(t.list(null, 'even', null, 2, '2026-01-01T00:00:34Z_00000000-0000-4000-8000-000000000034'), '32 30 of 19, 32 unread, next 30', 'the total is that of all pages');
select throws_ok(format('select herald.relay_list(''alice'', null, null, null, %L, null, null)', n), '22023', null, coalesce(n::text, 'null') || ' is no limit')
from unnest(array[null, 0, 1001]) n;

select is(herald.relay_set_read('alice', :'one', true)::json ->> 'version', '2', 'marked as read');
select is(herald.relay_set_read('alice', :'one', true)::json ->> 'version', '2', 'once');
select is(herald.relay_set_read('alice', :'one', false)::json ->> 'read_at', null, 'and as unread');
select is(herald.relay_set_read('alice', :'one', false)::json ->> 'version', '3', 'once');
select is(herald.relay_set_read('alice', id, true), null, 'not another''s, an expired one or none')
from unnest(array[:'hers', :'expired', '00000000-0000-4000-8000-000000000099']::uuid[]) id;
select results_eq($$ select * from herald.relay_read_all('alice', '2026-01-01T00:00:10Z') $$, $$ values (8::bigint, 24::bigint) $$, 'all until then');
select results_eq($$ select * from herald.relay_read_all('alice', null) $$, $$ values (24::bigint, 0::bigint) $$, 'all');
select is((select count(*) from herald.notifications where user_id = 'bob' and read_at is null), 8::bigint, 'nobody else''s');
select is(herald.relay_delete('alice', :'one'), true, 'deleted');
select is(herald.relay_delete('alice', id), false, 'not twice, nor another''s, an expired one or none')
from unnest(array[:'one', :'hers', :'expired', '00000000-0000-4000-8000-000000000099']::uuid[]) id;
select is((select count(*) from herald.notifications), 49::bigint, 'one is gone');
select results_eq($$ select user_id from herald.tombstones where notification_id = '00000000-0000-4000-8000-000000000001' $$, array['alice'], 'and tabs are told');

select * from finish();
