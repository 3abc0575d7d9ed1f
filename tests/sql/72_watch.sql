-- herald.watch: what rows tell whom, who may watch what, and that nothing in it fails the application's statement.
set client_min_messages = error;
select no_plan();
create role shop login in role herald_app;       -- owns the tables
create role clerk login;                          -- writes them, and has no right on the schema herald
create role guest login in role herald_app;      -- has a right on herald, none on the tables
create schema shop authorization shop;
grant usage on schema shop to clerk, guest;
grant usage on schema t to clerk, guest;
grant select, delete on herald.notifications to shop; -- to see what came of it
create function t.told() returns setof text language sql security definer as $$
  with gone as (delete from herald.notifications returning *)
  select concat_ws('|', user_id, title, nullif(message, ''), category, nullif(severity, 'info'), action_url, data, dedupe_key)
  from gone order by created_at, user_id
$$;
comment on function t.told() is 'a line for each notification, and then there are none';
create function t.last_error(relation regclass) returns text language sql security definer as $$
  select last_error from herald.watches where table_name = relation
$$;
create function t.code(relation regclass) returns oid language sql as $$
  select code from herald.watches where table_name = relation
$$;

set role shop;
create table shop.orders (id int primary key, customer_id int, number text, total numeric, status text not null default 'new',
                          paid boolean, tags text[], details json, "odd ""} {name" text, "Mixed" text);
grant select, insert, update, delete on shop.orders to clerk;

-- Inserts
select herald.watch('shop.orders', 'customer_id', 'Order {number}');
set role clerk;
select lives_ok($$ insert into shop.orders (id, customer_id, number) values (1, 7, 'A1') $$, 'a writer without rights on herald inserts');
select results_eq('select t.told()', array['7|Order A1'], 'and the user is told');
insert into shop.orders (id, customer_id, number) values (2, 8, 'A2'), (3, null, 'A3'), (4, 7, null);
select results_eq('select t.told()', array['8|Order A2', '7|Order '],
                  'a statement tells of all its rows; null is an empty text, and a null user nobody');
copy shop.orders (id, customer_id, number) from stdin;
5	9	A5
6	9	A6
\.
select results_eq('select t.told()', array['9|Order A5', '9|Order A6'], 'so does COPY');
begin;
insert into shop.orders (id, customer_id, number) values (7, 7, 'A7');
rollback;
update shop.orders set number = 'x' where id = 1;
delete from shop.orders where id = 6;
insert into shop.orders (id, customer_id, number) values (1, 7, 'A1') on conflict do nothing;
insert into shop.orders (id, customer_id, number) select 99, 7, 'x' where false;
select is_empty('select t.told()', 'nothing comes of a rollback, an update, a delete, or an insert of no row');

-- Templates
set role shop;
select herald.watch('shop.orders', 'customer_id', title => '{number}: {{not a column}} {{{status}}}', message => 'It''s \ %s $1 {"odd ""} {name"} {Mixed}',
                    category => '{status}', severity => '{number}', action_url => '/orders/{id}', data => '{"id":"{id}","paid":"{paid}","tags":"{tags}",
                    "details":"{details}","text":"n {number} of {{}}","deep":[{"x":["{total}",null]}],"kept":{"a":null,"b":[1.50]}}', dedupe_key => 'o-{id}');
insert into shop.orders values (10, 7, 'N', 1.50, 's', true, '{a,b}', '{"x": 1}', 'o}dd', 'mixed');
select results_eq('select t.told()', array['7|N: {not a column} {s}|It''s \ %s $1 o}dd mixed|s|/orders/10|'
  || '{"id": 10, "deep": [{"x": [1.50, null]}], "kept": {"a": null, "b": [1.50]}, "paid": true, "tags": ["a", "b"], '
  || '"text": "n N of {}", "details": {"x": 1}}|o-10'], 'columns in every template; alone in data they keep their type');
insert into shop.orders values (11, 7, 'warning', null, '');
select results_eq('select t.told()', array['7|warning: {not a column} {}|It''s \ %s $1  ||warning|/orders/11|'
  || '{"id": 11, "deep": [{"x": [null, null]}], "kept": {"a": null, "b": [1.50]}, "paid": null, "tags": null, '
  || '"text": "n warning of {}", "details": null}|o-11'], 'severity, too, if it is one; nulls in data are null');
insert into shop.orders (id, customer_id, number) values (12, 7, 'x'), (13, 7, 'y');
update shop.orders set id = id + 100 where id in (12, 13);
select t.told();
insert into herald.notifications (user_id, title, dedupe_key) values ('7', 'was there', 'o-12');
insert into shop.orders (id, customer_id, number) values (12, 7, 'x'), (14, 7, 'z');
select results_eq($$ select split_part(told, '|', 2) from t.told() told $$, array['was there', 'z: {not a column} {new}'],
                  'a dedupe_key that the user has: that row tells nothing');
select herald.watch('shop.orders', 'number', '{Mixed}', category => '{status}', action_url => '{Mixed}', severity => 'error', dedupe_key => '{Mixed}');
insert into shop.orders (id, number) values (20, repeat('x', 128)), (21, repeat('x', 129)), (22, ''), (23, 'u');
select results_eq($$ select length(user_id), title, category, action_url, severity, dedupe_key from herald.notifications order by 1 $$,
  $$ values (1, '', 'new', null, 'error', null), (128, '', 'new', null, 'error', null) $$,
  'who can be no user gets nothing, nor do others lose anything; a null column alone is null where that is allowed');
select t.told();
insert into shop.orders (id, number, "Mixed") values (24, 'u', repeat('ä', 20000)), (25, 'u', 'short'), (26, 'u', '');
select results_eq($$ select length(title), length(action_url), length(dedupe_key) from herald.notifications order by created_at, id $$,
  $$ values (1000, 10000, 32), (5, 5, 5), (0, 0, null) $$, 'what is too long for a notification is cut, and a long key digested');
select t.told();

-- Updates
select herald.watch('shop.orders', 'customer_id', '{number}: {old.status} → {new.status}', on_insert => false, on_update_of => '{status,details}');
set role clerk;
delete from shop.orders;
insert into shop.orders (id, customer_id, number, status, details) select k, k, k, 'new', '{"k": 1}' from generate_series(1, 9) k;
select is_empty('select t.told()', 'on_insert => false: an insert tells nothing');
update shop.orders set status = case when id % 4 = 0 then 'paid' else status end, number = 'N' || number;
select results_eq('select t.told()', array['4|N4: new → paid', '8|N8: new → paid'], 'rows in which the column has changed tell it, with both values');
update shop.orders set number = 'M', total = 7;
update shop.orders set status = status, details = '{"k": 1}';
update shop.orders set status = 'x' where false;
select is_empty('select t.told()', 'other columns, the same value again, and no row do not');
update shop.orders set details = '{"k": 2}' where id = 5;
select results_eq('select t.told()', array['5|M: new → new'], 'a column of a type without equality may be named');
update shop.orders set details = null where id = 5;
select is((select count(*)::int from t.told()), 1, 'a column that becomes null has changed');
update shop.orders set customer_id = null, status = 'lost' where id = 6;
select is_empty('select t.told()', 'the user is the row''s new one');
insert into shop.orders (id, customer_id, number) values (1, 1, 'x'), (50, 50, 'y') on conflict (id) do update set status = 'upserted';
select results_eq('select t.told()', array['1|M: new → upserted'], 'an upsert that updates is an update');
update shop.orders o set status = 'many', number = n.k from (select row_number() over (order by id desc) k, id from shop.orders) n where n.id = o.id;
select is_empty($$ select told from t.told() told where told !~ '^(\d+)\|\d+: (new|paid|upserted) → many$'
                   or split_part(told, '|', 1)::int in (4, 8) and told !~ 'paid → many'
                   or split_part(told, '|', 1)::int not in (1, 4, 8) and told !~ 'new → many' $$, 'old and new values are of the same row, however many');

-- Conditions
set role shop;
select herald.watch('shop.orders', 'customer_id', '{number} {old.number}', only_when => $$ new.total > 100 and old.status is distinct from new.status -- a comment $$,
                    on_update_of => '{status,total}');
set role clerk;
delete from shop.orders;
insert into shop.orders (id, customer_id, number, total) values (1, 1, 'a', 100), (2, 2, 'b', 101), (3, 3, 'c', null);
select results_eq('select t.told()', array['2|b '], 'only when it is true; old is null at an insert');
update shop.orders set total = 200, status = case id when 1 then 'new' else 'old' end;
select results_eq('select t.told()', array['2|b b', '3|c c'], 'and at an update both are there');
set role shop;
select throws_ok(format('select herald.watch(%L, %L, %L, only_when => %L)', 'shop.orders', 'customer_id', 'x', c), '22023', null, 'no condition: ' || c)
from unnest(array['new.nothing = 1', 'status = ''new''', 'new.total', '', 'new.total >', 'true) or (true', 'true then 1 end from shop.orders --', '$1', 'count(*) > 1',
                  'true; drop table shop.orders', 'new.total / 0 > 1 and 1 / 0 = 1', 'pg_temp.f(new)']) c;
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x', only_when => 'new.totl > 1') $$, '22023', 'only_when: column new.totl does not exist', 'the reason is told');
select is((select only_when from herald.watches), $$ new.total > 100 and old.status is distinct from new.status -- a comment $$, 'a call that failed has changed nothing');

-- Errors
select throws_ok($$ select herald.watch('shop.orders', 'customer', 'x') $$, '42703', 'user_column: shop.orders has no column ''customer''', 'an unknown user_column');
select throws_ok($$ select herald.watch('shop.orders', null, 'x') $$, '42703', 'user_column: shop.orders has no column null', 'none');
select throws_ok($$ select herald.watch('shop.orders', 'tags', 'x') $$, '42804', 'user_column: column tags of shop.orders holds no single value', 'an array');
select throws_ok($$ select herald.watch('shop.orders', 'ctid', 'x') $$, '42703', null, 'a system column');
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', '{nmber}') $$, '42703', 'title: shop.orders has no column ''nmber''', 'an unknown column in a template');
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x', data => '{"a":["{nmber}"]}') $$, '42703', 'data: shop.orders has no column ''nmber''', 'or deep in data');
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x', on_update_of => '{nmber}') $$, '42703', 'on_update_of: shop.orders has no column ''nmber''', 'or in on_update_of');
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x', on_update_of => '{null}') $$, '42703', null, 'or null there');
select throws_ok(format('select herald.watch(%L, %L, %L)', 'shop.orders', 'customer_id', template), '22023', null, 'a brace alone: ' || template)
from unnest(array['{', '}', 'x {number', 'number}', '{}', '{number}}', '{{number}', '{a{b}', '{"number}', '{number"}']) template;
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', null) $$, '22004', 'title must not be null', 'no title');
select throws_ok($$ select herald.watch(null, 'customer_id', 'x') $$, '22004', 'table_name must not be null', 'no table');
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x', severity => 'fatal') $$, '22023', null, 'an unknown severity');
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x', expires_after => '-1 day') $$, '22023', 'expires_after must be more than 0', 'expired before');
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x', expires_after => '300000 years') $$, '22023', 'expires_after must be 1000 years at most, not 300000 years', 'later than a date can be');
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x', on_insert => false) $$, '22023', null, 'nothing to watch');
select throws_ok(format('select herald.watch(%L, %L, %L, name => %L)', 'shop.orders', 'customer_id', 'x', n), '22023', null, 'name: ' || coalesce(n, 'null'))
from unnest(array['', 'A', '1', 'a b', 'a"b', repeat('a', 31), null]) n;
reset role;
create view shop.a_view as select 1 as customer_id;
create temp table a_temp (customer_id int);
select throws_ok(format('select herald.watch(%L, %L, %L)', r, c, 'x'), '42809', r || ' cannot be watched', r || ' cannot be watched')
from (values ('shop.a_view', 'customer_id'), ('a_temp', 'customer_id'), ('herald.notifications', 'user_id'), ('pg_class', 'relname')) x (r, c);

-- Several watches, the same one again, and the end
set role shop;
select herald.unwatch('shop.orders');
select herald.watch('shop.orders', 'customer_id', 'Paid', name => 'paid', on_insert => false, on_update_of => '{status}', only_when => 'new.status = ''paid''');
select herald.watch('shop.orders', 'customer_id', 'New', name => 'new', expires_after => '1 month 2 hours');
insert into shop.orders (id, customer_id) values (30, 3);
select ok(expires_at between created_at + interval '1 month 2 hours' - interval '1 minute' and created_at + interval '1 month 2 hours', 'expires_after') from herald.notifications;
update shop.orders set status = 'paid' where id = 30;
select results_eq('select t.told()', array['3|New', '3|Paid'], 'watches of other names do not touch each other');
select results_eq('select table_name = ''shop.orders''::regclass, name, user_column, title, message, category, severity, action_url, data, dedupe_key, expires_after, on_insert, on_update_of, only_when, enabled, runs_as = ''shop'', last_error
                   from herald.watches order by name',
  $$ values (true, 'new', 'customer_id', 'New', '', null, 'info', null, null::jsonb, null, interval '1 month 2 hours', true, '{}'::text[], null, true, true, null),
            (true, 'paid', 'customer_id', 'Paid', '', null, 'info', null, null, null, null, false, '{status}', 'new.status = ''paid''', true, true, null) $$,
  'herald.watches tells what they were made of');
alter table shop.orders disable trigger herald_watch_new_insert;
select is((select enabled from herald.watches where name = 'new'), false, 'and that one is switched off');
select herald.watch('shop.orders', 'customer_id', 'Newer', name => 'new', on_insert => false, on_update_of => '{total}');
select herald.watch('shop.orders', 'customer_id', 'Newest', name => 'new');
insert into shop.orders (id, customer_id) values (31, 3);
update shop.orders set total = 1 where id = 31;
select results_eq('select t.told()', array['3|Newest'], 'the same name again replaces all of it');
select is((select count(*)::int from pg_proc where proname like 'herald\_watch\_%' and pronamespace = 'shop'::regnamespace), 2, 'with one function each');
select is(herald.unwatch('shop.orders', 'new'), true, 'unwatch is true when there was one');
select is(herald.unwatch('shop.orders', 'new'), false, 'false when there is none');
select is(herald.unwatch('shop.orders'), false, 'and no other name is meant');
insert into shop.orders (id, customer_id) values (32, 3);
select is_empty('select t.told()', 'then nothing is told');
select herald.unwatch('shop.orders', 'paid');
select is_empty($$ select proname from pg_proc where proname like 'herald\_watch\_%' and prorettype = 'trigger'::regtype $$, 'no function is left');
select is_empty($$ select tgname from pg_trigger where tgrelid = 'shop.orders'::regclass $$, 'and no trigger');

-- Names
create table shop."odd ""name" ("user id" text, "a}b" text, "old.x" text);
select herald.watch('shop."odd ""name"', 'user id', '{"a}b"} {"old.x"}', on_update_of => array['a}b']);
insert into shop."odd ""name" values ('u', 'v', 'w');
update shop."odd ""name" set "a}b" = 'z';
select results_eq('select t.told()', array['u|v w', 'u|z w'], 'quoted names');
select is(herald.unwatch('shop."odd ""name"'), true, 'are found again');
select format('create table shop.%I (u text)', repeat('ä', 31)) \gexec
select herald.watch(format('shop.%I', repeat('ä', 31))::regclass, 'u', 'long', name => repeat('a', 30));
select format('insert into shop.%I values (1)', repeat('ä', 31)) \gexec
select results_eq('select t.told()', array['1|long'], 'names that leave no room for those of triggers and functions');
create table shop.short (u text);
select herald.watch('shop.short', 'u', 'first');
alter table shop.short rename to renamed;
create table shop.short (u text);
select herald.watch('shop.short', 'u', 'second');
insert into shop.renamed values (1);
insert into shop.short values (2);
select results_eq('select t.told()', array['1|first', '2|second'], 'a table of the name of one that was renamed');
drop table shop.short;
create table shop.short (u text);
select herald.watch('shop.short', 'u', 'third');
insert into shop.short values (3);
select results_eq('select t.told()', array['3|third'], 'and of one that was dropped');
drop table shop.short, shop.renamed;

-- Rows that are written straight into a partition, or moved to another
create table shop.parts (id int, u text, place int) partition by list (place);
create table shop.part1 partition of shop.parts for values in (1);
create table shop.part2 partition of shop.parts for values in (2);
select herald.watch('shop.parts', 'u', '{id} {old.place} {place}', on_update_of => '{place}');
insert into shop.parts values (1, 'a', 1), (2, 'b', 2);
select results_eq('select t.told()', array['a|1  1', 'b|2  2'], 'a partitioned table');
update shop.parts set place = 3 - place;
select results_eq('select t.told()', array['a|1 1 2', 'b|2 2 1'], 'rows that move to another partition');
create function shop.drops() returns trigger language plpgsql as $$ begin return case when new.id <> 1 then new end; end $$;
create trigger drops before insert on shop.part1 for each row execute function shop.drops();
update shop.parts set place = 3 - place;
select is_empty('select t.told()', 'if one is dropped on the way nothing is told: who was who is not known');
select matches(t.last_error('shop.parts'), 'a trigger has dropped a row', 'and that is said');
select herald.watch('shop.part2', 'u', 'part {id}');
insert into shop.part2 values (3, 'c', 2);
insert into shop.parts values (4, 'd', 2);
select results_eq('select t.told()', array['c|part 3', 'd|4  2'], 'what is written to a partition is told by the partition''s own watch');
drop table shop.parts;

-- Many rows in one statement: pairs are found by hashing, whatever the plan was made for.
create table shop.many (id int, u text, s text, a int[] default '{}');
select herald.watch('shop.many', 'u', '{id} {old.s}', on_update_of => '{s}');
insert into shop.many values (0, 'u', 'x');
update shop.many set s = 'y';
select t.told();
insert into shop.many select k, k % 7, k from generate_series(1, 20000) k;
update shop.many set s = -id where id % 2 = 0;
select results_eq($$ select count(*)::int, count(*) filter (where title = format('%s %s', split_part(title, ' ', 1), split_part(title, ' ', 1)))::int,
                            count(distinct xid)::int from herald.notifications where title !~ ' $' $$,
                  $$ values (10001, 10000, 1) $$, 'twenty thousand rows, each with its own old value');
delete from herald.notifications;

-- What fails does not fail the statement.
set role shop;
create table shop.bad (id int, u text, n text, d int);
select herald.watch('shop.bad', 'u', '{n}', only_when => '10 / new.d > 1');
select lives_ok($$ insert into shop.bad values (1, 'u', 'x', 5) $$, 'while it is well');
select t.told();
select is(t.last_error('shop.bad'), null, 'there is no error');
select lives_ok($$ insert into shop.bad values (2, 'u', 'secret', 0) $$, 'a condition that fails');
select is_empty('select t.told()', 'drops the notification');
select is((select count(*)::int from shop.bad), 2, 'and not the row');
select is(t.last_error('shop.bad'), 'division by zero (SQLSTATE 22012)', 'and herald.watches says why');
select lives_ok($$ insert into shop.bad values (3, 'u', 'x', 5) $$, 'the next one');
select results_eq('select t.told()', array['u|x'], 'is told again');
select herald.watch('shop.bad', 'u', '{n}', only_when => 'new.n::int > 1', on_update_of => '{d}');
select is(t.last_error('shop.bad'), null, 'a new call forgets the error');
select lives_ok($$ insert into shop.bad values (4, 'u', 'secret', 0) $$, 'a cast that fails');
select matches(t.last_error('shop.bad'), 'secret', 'its message has what it failed at, for those who have the table');
set role guest;
select is((select last_error from herald.watches where table_name = 'shop.bad'::regclass), null, 'and not for others');
select herald.watch_failed('shop.bad'::regclass, 'watch', '22P02', 'invalid: "secret"') as warning \gset
select matches(:'warning'::text, 'shop.bad made no notification: SQLSTATE 22P02', 'nor is it in the warning, which may be logged');
select matches(herald.watch_failed('shop.bad'::regclass, 'watch', '42703', 'column new.n does not exist'), 'column new.n does not exist', 'but what tells nothing of the data is');
set role shop;
select herald.watch('shop.bad', 'u', '{n}', on_update_of => '{d}');
insert into shop.bad values (4, 'u', 'x', 0);
select t.told();
alter table shop.bad rename column n to m;
select lives_ok($$ insert into shop.bad values (5, 'u', 'x', 5) $$, 'a column that was renamed');
select lives_ok($$ update shop.bad set d = 7 $$, 'also in an update');
select is(t.last_error('shop.bad'), 'record "new" has no field "n" (SQLSTATE 42703)', 'is an error');
select herald.watch('shop.bad', 'u', '{m} {d}', on_update_of => '{d}');
alter table shop.bad drop column d;
select lives_ok($$ insert into shop.bad values (6, 'u', 'x') $$, 'a column that was dropped');
select lives_ok($$ update shop.bad set m = 'y' $$, 'also one of on_update_of');
select matches(t.last_error('shop.bad'), 'record "(new|old)" has no field "d"', 'is an error');
select is_empty('select t.told()', 'and nothing was told');
alter table shop.bad add column d text default 'z', alter column m type int using 7;
insert into shop.bad values (7, 'u', 7);
select results_eq('select t.told()', array['u|7 z'], 'a type may change');
select t.last_error('shop.bad');
reset role;
revoke herald_app from shop;
set role shop;
select lives_ok($$ insert into shop.bad values (8, 'u', 8) $$, 'an owner that has lost its right on herald');
reset role;
grant herald_app to shop;
select is_empty('select t.told()', 'tells nothing');
create function t.fails() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
create trigger fails before insert on herald.notifications for each row execute function t.fails();
set role shop;
select lives_ok($$ insert into shop.bad values (9, 'u', 9) $$, 'whatever the INSERT into herald.notifications says');
select is(t.last_error('shop.bad'), 'no (SQLSTATE P0001)', 'it is only an error to look at');
reset role;
drop trigger fails on herald.notifications;
begin;
alter schema herald rename to herald_gone;
set local role shop;
select lives_ok($$ insert into shop.bad values (10, 'u', 10) $$, 'even without the schema herald');
rollback;

-- Nor does it wait: for a lock a second at most, and for somebody who notes an error not at all.
select t.connect('a');
select t.connect('b');
set role shop;
select herald.watch('shop.bad', 'u', '{m}', dedupe_key => '{m}', on_update_of => '{d}', only_when => '1 / coalesce(new.id, 0) is not null');
reset role;
select t.run('a', 'begin');
select t.run('a', $$ insert into shop.bad values (11, 'u', 11) $$);
select t.run('b', 'set role shop');
select t.run('b', $$ create table shop.U&"\0447\0430\0439" (id int, u text) $$);
select herald.watch(oid::regclass, 'u', '{u}', only_when => '1 / new.id > 0')
from pg_class where relnamespace = 'shop'::regnamespace and relname ~ '\u0447' and relkind = 'r';
select t.run('b', 'set client_encoding = latin1');
select lives_ok($$ select t.run('b', 'insert into shop.U&"\0447\0430\0439" values (0, ''u'')') $$,
                'a name that the client''s encoding lacks does not make an error of the warning');
select t.run('b', 'reset client_encoding');
select lives_ok($$ select t.run('b', 'insert into shop.bad values (12, ''u'', 11)') $$, 'a key that an open transaction has taken is not waited for without end');
select is(t.last_error('shop.bad'), 'another transaction has written the same dedupe_key, and has not ended within a second (SQLSTATE 55P03)', 'that is an error, too');
select t.run('a', 'commit');
select is((select count(*)::int from t.told()), 1, 'one of the two has told it');
select t.run('a', 'begin');
select t.run('a', $$ insert into shop.bad values (null, 'u', 11) $$);
select t.run('b', 'set lock_timeout = 1');
select lives_ok($$ select t.get('b', 'select herald.watch_failed(''shop.bad''::regclass, ''watch'', ''22012'', ''division by zero'')') $$,
                'two that fail at the same time do not wait for each other');
select t.run('b', 'reset lock_timeout');
select t.run('a', 'rollback');

-- Who may
set role guest;
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x') $$, '42501', 'role guest may not watch shop.orders', 'who has only herald_app may not');
set role clerk;
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x') $$, '42501', null, 'who writes the table, but lacks herald_app, may not');
set role shop;
grant trigger on shop.orders to guest;
set role guest;
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x') $$, '42501', 'role guest may not create the trigger function in schema shop', 'TRIGGER on the table is half of it');
set role shop;
grant create on schema shop to guest;
set role guest;
select lives_ok($$ select herald.watch('shop.orders', 'customer_id', 'guest {number}', only_when => 'current_user = ''guest''') $$, 'with CREATE it is enough');
set role clerk;
insert into shop.orders (id, customer_id, number) values (60, 6, 'A60');
select results_eq('select t.told()', array['6|guest A60'], 'the condition is evaluated with the rights of who wrote it, not of who writes the row');
set role shop;
select throws_ok($$ select herald.watch('shop.orders', 'customer_id', 'x') $$, '42501', 'watch watch of shop.orders belongs to role guest', 'another''s is not replaced');
select is(herald.unwatch('shop.orders'), true, 'but the table''s owner may end it');
select lives_ok($$ select herald.watch('shop.orders', 'customer_id', 'x') $$, 'and then begin one');
set role guest;
select throws_ok($$ select herald.unwatch('shop.orders') $$, '42501', 'role guest may not remove a trigger of shop.orders', 'which others cannot end');
set role shop;
reset role;
alter default privileges for role shop grant execute on functions to clerk;
set role shop;
select herald.watch('shop.orders', 'customer_id', 'x');
select herald.unwatch('shop.orders');
select herald.watch('shop.orders', 'customer_id', 'x');
select is(has_function_privilege('clerk', t.code('shop.orders'), 'execute'), false, 'nobody else may execute a trigger function, whatever the default privileges');
select is((select prosecdef and proconfig @> '{"search_path=pg_catalog, pg_temp"}' from pg_proc where oid = t.code('shop.orders')), true, 'which has a fixed search_path');
create trigger mine after insert on shop.bad for each statement execute function shop.drops('not json');
select is((select count(*)::int from herald.watches where table_name = 'shop.bad'::regclass), 1, 'other triggers are no watches');
create trigger herald_watch_mine_insert after insert on shop.bad for each statement execute function shop.drops('{"herald.watch": 1, "name": "mine"}');
select is(herald.unwatch('shop.bad', 'mine'), false, 'even if they pretend');
select throws_ok($$ select herald.watch('shop.bad', 'u', 'x', name => 'mine') $$, '42710', 'shop.bad has a trigger herald_watch_mine_insert that herald.watch has not made', 'and are not replaced');

-- A writer must not lead it astray.
select herald.watch('shop.orders', 'customer_id', '{number}', only_when => 'lower(new.status) = ''new''');
set role clerk;
create function pg_temp.lower(text) returns text language sql as $$ select 'astray' $$;
create temp table notifications (user_id text, title text, message text, severity text);
create temp table new_rows (customer_id int, number text, status text);
set search_path = pg_temp, pg_catalog, shop, public;
insert into orders (id, customer_id, number) values (70, 7, 'A70');
reset search_path;
select results_eq('select t.told()', array['7|A70'], 'its own objects are not used');

reset role;
select dblink_disconnect('a');
select dblink_disconnect('b');
alter default privileges for role shop revoke execute on functions from clerk;
drop owned by shop, clerk, guest cascade;
drop role shop, clerk, guest;
select * from finish();
