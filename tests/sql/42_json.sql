-- herald.notification_json: the bytes that every client gets.
begin;
select no_plan();
set local timezone = 'Asia/Kolkata';
set local datestyle = 'German, DMY';

insert into herald.notifications (id, user_id, title, created_at)
  values ('0B1C2D3E-0000-4000-8000-00000000000A', 'alice', 'Hello', '2026-03-01 12:00:00.5+05:30');
select is(herald.notification_json(n), '{"id":"0b1c2d3e-0000-4000-8000-00000000000a","title":"Hello","message":"","category":null,'
  '"severity":"info","action_url":null,"data":null,"created_at":"2026-03-01T06:30:00.500000Z","read_at":null,"is_read":false,'
  '"version":1}', 'a row of defaults, whatever the session''s time zone and date style')
from herald.notifications n;
update herald.notifications set message = 'm', category = 'c', severity = 'error', action_url = '/x?a=1&b=2',
  data = '{"a": [1, null]}', read_at = '2026-12-31 23:59:59.999999Z';
select is(herald.notification_json(n), '{"id":"0b1c2d3e-0000-4000-8000-00000000000a","title":"Hello","message":"m","category":"c",'
  '"severity":"error","action_url":"/x?a=1&b=2","data":{"a": [1, null]},"created_at":"2026-03-01T06:30:00.500000Z",'
  '"read_at":"2026-12-31T23:59:59.999999Z","is_read":true,"version":2}', 'a row with everything')
from herald.notifications n;

update herald.notifications set created_at = t, read_at = t from unnest(array['0001-01-01 00:00:00Z'::timestamptz]) t;
select is(herald.notification_json(n)::json ->> 'created_at', '0001-01-01T00:00:00.000000Z', 'the earliest time') from herald.notifications n;
update herald.notifications set created_at = '9999-12-31 23:59:59.999999Z';
select is(herald.notification_json(n)::json ->> 'created_at', '9999-12-31T23:59:59.999999Z', 'the latest time') from herald.notifications n;

-- Hostile text comes out of a JSON reader as it went in.
create temp table hostile (name text, value text);
insert into hostile values
  ('quotes', $h$"double" 'single' `back` \ \\ \" \u0000 $h$),
  ('control characters', (select string_agg(chr(k), '') from generate_series(1, 31) k) || chr(127) || chr(133)),
  ('line separators', 'a' || chr(8232) || 'b' || chr(8233) || E'\r\n\t'),
  ('emoji', '👩🏽‍🚀 🇩🇪 👨‍👩‍👧‍👦'),
  ('right to left', 'שלום ‮abc‬ مرحبا'),
  ('markup', '<script>alert(1)</script></textarea>&amp;<!--'),
  ('JSON', '{"id":"x","title":"},{","a":[1,2,{"b":null}]}'),
  ('JSON in JSON', to_json('{"x":"' || to_json('{"y":"\"}'::text)::text || '"}')::text),
  ('SQL', $h$'; drop table herald.notifications; --$h$),
  ('the end of Unicode', chr(1114109) || chr(65533) || chr(65279)),
  ('empty', ''),
  ('1 MB', repeat('0123456789abcde"', 65536)),
  ('600 kB of control characters', repeat(chr(1), 614400));
create temp view short as select name, value from hostile where length(value) < 100000;

delete from herald.notifications;
insert into herald.notifications (user_id, title, message, category, action_url, data)
  select 'alice', value, value, value, value, jsonb_build_object('v', value) from short;
insert into herald.notifications (user_id, title, message) select 'alice', name, value from hostile where length(value) >= 100000;
create temp table decoded as select herald.notification_json(n)::jsonb as j, n.* from herald.notifications n;
select is_empty($$ select id from decoded where j ->> 'title' <> title or j ->> 'message' <> message
  or j ->> 'category' <> category or j ->> 'action_url' <> action_url or j -> 'data' <> data $$, 'every text comes out as it went in');
select ok(exists (select from decoded where j ->> 'message' = value or j ->> 'title' = value), name) from hostile;
select is((select array_agg(k) from json_object_keys(herald.notification_json(n)::json) k),
          '{id,title,message,category,severity,action_url,data,created_at,read_at,is_read,version}'::text[],
          'no text makes another field')
from herald.notifications n where title like '{%' limit 1;
select is((select count(*) from herald.notifications n where herald.notification_json(n) ~ '[\x01-\x1f]'), 0::bigint,
          'no control character is sent as it is');

-- The functions take and give the same.
delete from herald.notifications;
select herald.notify_user('alice', value, value, value, 'info', value, jsonb_build_object('v', value)) from short;
select set_eq('select title, message, category, action_url, data ->> ''v'' from herald.unread(''alice'', 100)',
              'select value as a, value as b, value as c, value as d, value as e from short', 'notify_user and unread');
select set_eq($$ select e ->> 'title' from herald.relay_page('alice', true, 100, null, null) p, json_array_elements(p.notifications::json) e $$,
              'select value from short', 'relay_page');
select herald.broadcast_to_user('alice', json_build_object('type', 'x', 'v', value)) from short;
select set_eq('select body::json ->> ''v'' from herald.messages', 'select value from short', 'broadcasts');

select * from finish();
rollback;
