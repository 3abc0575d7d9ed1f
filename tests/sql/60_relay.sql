-- resolve_user, epoch, counts, mark_read, mark_all_read.
begin;
select no_plan();
create function t.id(k int) returns uuid language sql as $$ select format('00000000-0000-4000-8000-0000000000%s', k)::uuid $$;

-- resolve_user
insert into herald.users (id, username, disabled_at) values ('1', 'alice', null), ('2', 'bob', now()), ('3', '1', null);
select is(herald.resolve_user(claims), wanted, claims::text) from (values
  ('{"sub": "1"}'::jsonb, '1'), ('{"username": "alice"}', '1'), ('{"sub": "1", "exp": 5, "username": "1"}', '1'),
  ('{"sub": "nobody"}', null), ('{"username": "nobody"}', null), ('{"sub": "2"}', null), ('{"username": "bob"}', null),
  ('{"sub": "nobody", "username": "alice"}', null), ('{"sub": 1}', null), ('{"sub": null, "username": "alice"}', null),
  ('{"sub": ["1"]}', null), ('{"username": {"a": 1}}', null), ('{}', null), ('[]', null), ('["sub"]', null), ('"sub"', null), ('null', null),
  ('{"username": "ALICE"}', null), ('{"username": "1"}', '3'), ('{"sub": "alice"}', null)) c (claims, wanted);
select is(herald.resolve_user(null), null, 'no claims');
update herald.users set disabled_at = now() + interval '1 day' where id = '1';
select is(herald.resolve_user('{"sub": "1"}'), null, 'disabled_at counts whatever time it is');

-- The epoch
select matches(herald.relay_epoch(), '^\d+:[0-9A-F]{8}:\d+\.\d+:[0-9a-f-]{36}$', 'system:timeline:database.table:uuid');
select is(herald.relay_epoch(), herald.relay_epoch(), 'the epoch stays');
select herald.relay_epoch() as epoch \gset
truncate herald.epoch;
select isnt(herald.relay_epoch(), :'epoch', 'until its table has been emptied');
select is(regexp_replace(herald.relay_epoch(), '[^:]*$', ''), regexp_replace(:'epoch', '[^:]*$', ''),
          'then system and timeline are the same');
select is(herald.relay_schema_version(), (select max(id) from herald.migrations), 'the schema''s version');

-- Counts
insert into herald.notifications (id, user_id, title, read_at, expires_at)
  values (t.id(10), 'alice', 'unread', null, null), (t.id(11), 'alice', 'read', now(), null),
         (t.id(12), 'alice', 'expired', null, now() - interval '1 s'), (t.id(13), 'alice', 'expires', null, now() + interval '1 h'),
         (t.id(14), 'bob', 'bob''s', null, null);
select results_eq($$ select * from herald.relay_unread_counts('{alice,nobody,bob}') $$,
                  $$ values ('alice', 2::bigint), ('nobody', 0), ('bob', 1) $$, 'every user asked for has a row; read and expired ones do not count');
select is_empty($$ select * from herald.relay_unread_counts('{}') $$, 'nobody asked for');
select is_empty($$ select * from herald.relay_unread_counts(null) $$, 'null');

-- mark_read
create function t.mark(users text[], k int[]) returns table (title text, version int, is_read boolean) language sql as $$
  select m.notification::json ->> 'title', m.version, (m.notification::json ->> 'is_read')::boolean
  from herald.relay_mark_read(users, array(select t.id(i) from unnest(k) with ordinality u (i, o) order by o)) m order by m.id
$$;
select results_eq($$ select * from t.mark('{alice}', '{10}') $$, $$ values ('unread', 2, true) $$, 'marked, and its new state');
select results_eq($$ select * from t.mark('{alice}', '{10}') $$, $$ values ('unread', 2, true) $$, 'again: the same state, no new version');
select is(read_at, (select read_at from herald.notifications where id = t.id(10)), 'and the same time')
from herald.notifications where id = t.id(10);
select is_empty($$ select * from t.mark('{alice}', '{14}') $$, 'another user''s: not found');
select is_empty($$ select * from t.mark('{bob}', '{13}') $$, 'the other way round');
select is_empty($$ select * from t.mark('{alice,bob}', '{14,13}') $$, 'ids of each other in one call');
select results_eq($$ select title::text, version from herald.notifications where id in (t.id(13), t.id(14)) order by id $$,
                  $$ values ('expires', 1), ('bob''s', 1) $$, 'and nothing has changed');
select is_empty($$ select * from t.mark('{alice}', '{12}') $$, 'an expired one: not found');
select is_empty($$ select * from t.mark('{alice}', '{99}') $$, 'an unknown one: not found');
select is_empty($$ select * from t.mark('{}', '{}') $$, 'nothing');
select results_eq($$ select * from t.mark('{bob,alice,alice,alice,bob}', '{14,13,11,13,10}') $$,
                  $$ values ('read', 1, true), ('expires', 2, true), ('bob''s', 2, true) $$,
                  'several users, each pair once, wrong pairs left out');
select throws_ok($$ select herald.relay_mark_read('{a,b}', array[t.id(10)]) $$, '22023',
                 'users and ids must have the same number of elements', 'arrays of different length');
select is_empty($$ select * from herald.relay_mark_read('{null}', array[t.id(10)]) $$, 'null as user');
select is_empty($$ select * from herald.relay_mark_read('{alice}', '{null}') $$, 'null as id');

-- mark_all_read
delete from herald.notifications;
insert into herald.notifications (id, user_id, title, created_at, expires_at)
  select t.id(10 + k), 'alice', k::text, timestamptz '2026-01-01Z' + k * interval '1 h', case k when 9 then now() end
  from generate_series(1, 9) k;
insert into herald.notifications (user_id, title) values ('bob', 'bob''s');
select is(herald.relay_mark_all_read('alice', '2026-01-01 03:00Z', null), 3::bigint, 'until a time, which is included');
select results_eq($$ select title::int from herald.notifications where read_at is not null order by 1 $$, array[1, 2, 3], 'those before it');
select is(herald.relay_mark_all_read('alice', '2026-01-01 03:00Z', null), 0::bigint, 'again: none');
select is(herald.relay_mark_all_read('alice', null, pg_current_xact_id()), 0::bigint, 'until a transaction, which is not included');
select is(herald.relay_mark_all_read('alice', '2026-01-01 06:00Z', '9223372036854775807'), 3::bigint, 'until both');
select is(herald.relay_mark_all_read('alice', null, null), 2::bigint, 'all that have not expired');
select is(herald.relay_mark_all_read('nobody', null, null), 0::bigint, 'nobody''s');
select is(herald.relay_mark_all_read(null, null, null), 0::bigint, 'null');
select results_eq($$ select title from herald.notifications where read_at is null order by user_id $$, array['9', 'bob''s'], 'others are left alone');

select * from finish();
rollback;
