-- The functions for applications, as herald_app.
begin;
select no_plan();
create role app_login login in role herald_app;
grant usage on schema t to app_login;
grant select on herald.messages, herald.notifications to app_login; -- to see what came of it
create function t.id(k int) returns uuid language sql as $$ select format('00000000-0000-4000-8000-0000000000%s', k)::uuid $$;
create function t.message(bytes int) returns json language sql as $$
  select ('{"type":"x","v":"' || repeat('x', bytes - 19) || '"}')::json
$$;
set role app_login;

-- notify_user
select herald.notify_user('alice', 'Hello') as id \gset
select row_eq(format('select user_id, title, message, category, severity, action_url, data, expires_at, dedupe_key from herald.notifications where id = %L', :'id'),
              row ('alice'::text, 'Hello'::text, ''::text, null::text, 'info'::text, null::text, null::jsonb, null::timestamptz, null::text),
              'a user and a title are enough; the id is returned');
select herald.notify_user('alice', title => 'All', message => 'm', category => 'c', severity => 'warning', action_url => '/u',
                          data => '{"a":1}', dedupe_key => 'k', expires_at => '2999-01-01Z') as id \gset
select row_eq(format('select user_id, title, message, category, severity, action_url, data, expires_at, dedupe_key from herald.notifications where id = %L', :'id'),
              row ('alice'::text, 'All'::text, 'm'::text, 'c'::text, 'warning'::text, '/u'::text, '{"a":1}'::jsonb, timestamptz '2999-01-01Z', 'k'::text),
              'everything by name');
select is(herald.notify_user('alice', 'Other', dedupe_key => 'k'), :'id', 'the same dedupe_key: the id there is');
select is((select title from herald.notifications where id = :'id'), 'All', 'and nothing is changed');
select isnt(herald.notify_user('bob', 'Other', dedupe_key => 'k'), :'id', 'another user has keys of his own');
select isnt(herald.notify_user('alice', 'No key'), herald.notify_user('alice', 'No key'), 'without a key every call stores');
select throws_ok($$ select herald.notify_user('alice', 'x', severity => 'fatal') $$, '22023',
                 'severity must be info, success, warning or error, not ''fatal''', 'severity');
select throws_ok($$ select herald.notify_user('alice', 'x', severity => null) $$, '22023',
                 'severity must be info, success, warning or error, not NULL', 'no severity');
select throws_ok($$ select herald.notify_user('alice', null) $$, '23502', null, 'no title');
select throws_ok($$ select herald.notify_user(null, 'x') $$, '23502', null, 'no user');
select throws_ok($$ select herald.notify_user('', 'x') $$, '23514', null, 'an empty user');
select throws_ok($$ select herald.notify_user('alice', 'x', dedupe_key => '') $$, '23514', null, 'an empty key');
select throws_ok($$ select herald.notify_user('alice', 'x', data => '{') $$, '22P02', null, 'data that is no JSON');
select throws_ok($$ select herald.notify_user('alice', repeat('x', 5000000)) $$, '23514', null, 'too long');

-- Broadcasts
select lives_ok($$ select herald.broadcast_to_user('alice', '{"type": "system_alert",  "n": 1.0}') $$, 'broadcast_to_user');
select row_eq('select user_id, kind, body from herald.messages', row ('alice'::text, 'message'::text, '{"type": "system_alert",  "n": 1.0}'::text),
              'its text is unchanged, spaces and all');
select lives_ok($$ select herald.broadcast_to_users('{alice,bob,alice}', '{"type":"many"}') $$, 'broadcast_to_users');
select set_eq($$ select user_id from herald.messages where body = '{"type":"many"}' $$, array['alice', 'bob'], 'each user');
select is((select count(*)::int from herald.messages where body = '{"type":"many"}'), 2, 'once');
select lives_ok($$ select herald.broadcast_to_users('{}', '{"type":"none"}') $$, 'no users');
select lives_ok($$ select herald.broadcast_to_all('{"type":"all"}') $$, 'broadcast_to_all');
select is((select user_id from herald.messages where body = '{"type":"all"}'), null, 'everybody is null');
select throws_ok($$ select herald.broadcast_to_users(null, '{"type":"x"}') $$, '22004', 'user ids must not be null', 'null is not everybody');
select throws_ok($$ select herald.broadcast_to_users('{alice,null}', '{"type":"x"}') $$, '22004', 'user ids must not be null', 'nor in a list');
select throws_ok($$ select herald.broadcast_to_user(null, '{"type":"x"}') $$, '22004', 'user ids must not be null', 'nor alone');
select throws_ok($$ select herald.broadcast_to_user('', '{"type":"x"}') $$, '23514', null, 'an empty user');

select throws_ok(format('select herald.broadcast_to_all(%L)', m), '22023', 'message must be a JSON object', coalesce(m, 'null'))
from unnest(array['[]', '"type"', '1', 'null', '["type"]', null]) m;
select throws_ok(format('select herald.broadcast_to_all(%L)', m), '22023', 'message must have exactly one "type", a string that is not empty', m)
from unnest(array['{}', '{"Type":"x"}', '{"type":1}', '{"type":null}', '{"type":{"type":"x"}}', '{"type":""}', '{"a":{"type":"x"}}',
                  '{"type":"a","type":"connected"}', '{"type":"connected","\u0074ype":"a"}']) m;
select throws_ok(format('select herald.broadcast_to_all(%L)', json_build_object('type', w)), '22023',
                 format('"type" must not be %s: that is a message of the protocol itself', w), 'type ' || w)
from unnest(string_to_array('connected new_notification notification_updated notification_deleted unread_notifications notifications '
  'unread_count resumed token_expiring authenticated draining pong error ping authenticate resume get_unread get_notifications '
  'mark_read mark_all_read', ' ')) w;
select throws_ok($$ select herald.broadcast_to_user('a', '{"type":"\u0070ong"}') $$, '22023', null, 'in escapes too');
select throws_ok($$ select herald.broadcast_to_users('{a}', '{"type":"pong"}') $$, '22023', null, 'whichever function');
select throws_ok($$ select herald.broadcast_to_all('{"type":"x"') $$, '22P02', null, 'no JSON');
select is(octet_length(t.message(100)::text), 100, '(a message of given size)');
select lives_ok('select herald.broadcast_to_all(t.message(1048576))', 'a message of 1 MiB');
select throws_ok('select herald.broadcast_to_all(t.message(1048577))', '54000', 'message has 1048577 bytes; at most 1048576 (1 MiB) can be sent', 'a byte more');
select lives_ok($$ select herald.disconnect_user('alice') $$, 'disconnect_user');
select row_eq($$ select user_id, body from herald.messages where kind = 'disconnect' $$, row ('alice'::text, null::text), 'is recorded');
select throws_ok('select herald.disconnect_user(null)', '22004', 'user_id must not be null', 'nobody to disconnect');

-- Reading
reset role;
delete from herald.notifications;
insert into herald.notifications (id, user_id, title, created_at, expires_at)
  select t.id(k), 'alice', k::text, timestamptz '2026-01-01Z' + k / 2 * interval '1 h', case k when 19 then now() end from generate_series(10, 19) k;
insert into herald.notifications (id, user_id, title) values (t.id(30), 'bob', 'bob''s');
set role app_login;
select results_eq($$ select title from herald.unread('alice', 4) $$, array['18', '17', '16', '15'], 'unread: newest first, without expired ones');
select is((select count(*)::int from herald.unread('alice')), 9, 'ten at most when not told');
select is_empty($$ select * from herald.unread('alice', 0) $$, 'none asked for');
select throws_ok($$ select * from herald.unread('alice', -1) $$, '22023', 'max_rows must be 0 or more', 'fewer than none');
select throws_ok($$ select * from herald.unread('alice', null) $$, '22023', 'max_rows must be 0 or more', 'null of them');
select is_empty($$ select * from herald.unread(null) $$, 'nobody''s');

select is(herald.mark_read('alice', t.id(10)), true, 'mark_read');
select is(herald.mark_read('alice', t.id(10)), true, 'again');
select is((select version from herald.notifications where id = t.id(10)), 2, 'but it was marked once');
select is(herald.mark_read('alice', t.id(30)), false, 'another user''s');
select is(herald.mark_read('alice', t.id(19)), false, 'an expired one');
select is(herald.mark_read('alice', t.id(99)), false, 'an unknown one');
select is(herald.mark_read('alice', null::uuid), false, 'null');
select is(herald.mark_read(null, t.id(11)), false, 'nobody');
select is(herald.mark_read('alice', '00000000-0000-4000-8000-000000000011'), true, 'an id in quotes');
prepare untyped as select herald.mark_read($1, $2);
select results_eq($$ execute untyped('alice', '00000000-0000-4000-8000-000000000012') $$, array[true], 'untyped parameters');
select throws_ok($$ select herald.mark_read('alice', 'garbage') $$, '22P02', 'invalid input syntax for type uuid: "garbage"', 'no uuid');
select is(herald.mark_read('alice', array[t.id(10), t.id(13), t.id(13), t.id(30), t.id(99), null]), 2::bigint, 'an array: how many the user has');
select is(herald.mark_read('alice', '{}'::uuid[]), 0::bigint, 'an empty one');
select throws_ok($$ select herald.mark_read('alice', null::uuid[]) $$, '22004', 'ids must not be null', 'none');
select is(read_at, null, 'bob''s is unread') from herald.notifications where user_id = 'bob';

select is(herald.mark_all_read('alice', '2026-01-01 07:00Z'), 2::bigint, 'mark_all_read until a time');
select is(herald.mark_all_read('alice'), 3::bigint, 'mark_all_read');
select is(herald.mark_all_read('alice'), 0::bigint, 'again');
select is(herald.mark_all_read(null), 0::bigint, 'nobody''s');
select is(read_at, null, 'bob''s is unread') from herald.notifications where user_id = 'bob';

reset role;
select * from finish();
rollback;
