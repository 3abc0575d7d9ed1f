-- What the two roles may do, and that they may do nothing else.
begin;
select no_plan();
create role relay_login login in role herald_relay;
create role app_login login in role herald_app;
create role stranger login;

create function t.may_execute(who name) returns setof text language sql as $$
  select p.oid::regprocedure::text from pg_proc p
  where p.pronamespace = 'herald'::regnamespace and has_function_privilege(who, p.oid, 'execute')
$$;
create function t.may_touch(who name) returns setof text language sql as $$
  select c.relname || ' ' || p from pg_class c, unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p
  where c.relnamespace = 'herald'::regnamespace and c.relkind in ('r', 'S')
    and has_table_privilege(who, c.oid, p)
$$;
select set_eq($$ select t.may_execute('relay_login') $$, array[
  'herald.feed(pg_snapshot)', 'herald.feed(pg_snapshot,integer)', 'herald.feed_settled(pg_snapshot,integer)',
  'herald.notification_json(herald.notifications)', 'herald.resolve_user(jsonb)',
  'herald.relay_schema_version()', 'herald.relay_epoch()', 'herald.relay_unread_counts(text[])',
  'herald.relay_page(text,boolean,integer,timestamp with time zone,uuid)',
  'herald.relay_pages(text[],boolean[],integer[],timestamp with time zone[],uuid[])', 'herald.relay_mark_read(text[],uuid[])',
  'herald.relay_mark_all_read(text,timestamp with time zone,xid8)', 'herald.relay_tidy()',
  'herald.relay_resume(text[],xid8[],xid8[],integer[],uuid[],integer,integer)', 'herald.relay_trace_ask(uuid,text)',
  'herald.relay_trace_answer(uuid,text)', 'herald.relay_create(text,text,jsonb,text)', 'herald.relay_get(text,uuid)',
  'herald.relay_list(text,boolean,text,text,integer,timestamp with time zone,uuid)',
  'herald.relay_set_read(text,uuid,boolean)', 'herald.relay_read_all(text,timestamp with time zone)',
  'herald.relay_delete(text,uuid)'],
  'the relay may execute the feed and its own functions, and nothing else');
select set_eq($$ select t.may_execute('app_login') $$, array[
  'herald.notify_user(text,text,text,text,text,text,jsonb,text,timestamp with time zone)',
  'herald.broadcast_to_user(text,json)', 'herald.broadcast_to_users(text[],json)', 'herald.broadcast_to_all(json)',
  'herald.disconnect_user(text)', 'herald.mark_read(text,uuid)', 'herald.mark_read(text,text)',
  'herald.mark_read(text,uuid[])', 'herald.mark_all_read(text,timestamp with time zone)', 'herald.unread(text,integer)',
  'herald.prune(interval)',
  'herald.watch(regclass,text,text,text,text,text,text,jsonb,text,interval,boolean,text[],text,text)', 'herald.unwatch(regclass,text)',
  'herald.watch_check(regclass,jsonb)', 'herald.watch_check_condition(regclass,text)', 'herald.watch_code(regclass,jsonb)',
  'herald.watch_column(regclass,text,text)', 'herald.watch_config(bytea)', 'herald.watch_data(regclass,jsonb)',
  'herald.watch_failed(oid,text,text,text)', 'herald.watch_forget(oid,text)', 'herald.watch_function(regclass,text)',
  'herald.watch_keys(text[])',
  'herald.watch_template(regclass,text,text,boolean)', 'herald.watch_values(regclass,jsonb)'], 'an application may execute the functions made for it, and nothing else');
select is_empty($$ select t.may_execute('stranger') $$, 'others may execute nothing');
select set_eq($$ select t.may_touch('relay_login') $$, array['notifications select', 'tombstones select', 'messages select'],
              'the relay may read what the feed reads, and touch nothing else');
select set_eq($$ select t.may_touch('app_login') $$, array['notifications insert'], 'an application may insert');
select is_empty($$ select t.may_touch('stranger') $$, 'others may touch nothing');
select ok(not has_schema_privilege(who, 'herald', 'create'), who || ' may create nothing in the schema')
from unnest(array['relay_login', 'app_login', 'stranger']) who;
select ok(not has_schema_privilege('stranger', 'herald', 'usage'), 'and strangers may not look into it');
select is_empty($$ select rolname from pg_roles where rolname in ('herald_relay', 'herald_app')
  and (rolcanlogin or rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls) $$,
  'the roles have no attributes, and cannot log in themselves');

insert into herald.notifications (id, user_id, title) values ('00000000-0000-4000-8000-000000000001', 'alice', 'x');
insert into herald.users values ('alice', 'alice');

-- The same by trying it.
create function t.refused(command text) returns text language sql as $$
  select throws_ok(command, '42501', null, current_user || ' may not ' || command)
$$;
grant execute on all functions in schema t to public;

set role app_login;
select t.refused(c) from unnest(array[
  'select * from herald.notifications', 'select title from herald.notifications', 'delete from herald.notifications',
  'update herald.notifications set read_at = now()', 'truncate herald.notifications',
  'select * from herald.users', 'insert into herald.users values (''eve'', ''eve'')',
  'select * from herald.tombstones', 'insert into herald.tombstones values (''alice'', gen_random_uuid())',
  'insert into herald.messages (kind, body) values (''message'', ''{}'')', 'select * from herald.messages',
  'select * from herald.state', 'update herald.state set tombstones_pruned_xid = ''9''', 'select * from herald.epoch',
  'select * from herald.migrations', 'insert into herald.migrations values (9, ''x'')',
  'select * from herald.watch_errors', 'insert into herald.watch_errors values (''t'', ''w'', ''m'')',
  'select * from herald.feed(pg_current_snapshot())', 'select * from herald.feed(pg_current_snapshot(), 64)', 'select * from herald.feed_settled(pg_current_snapshot(), 64)', 'select herald.relay_epoch()', 'select herald.relay_tidy()',
  'select herald.resolve_user(''{"sub":"alice"}'')', 'select herald.relay_unread_counts(''{alice}'')',
  'select herald.relay_mark_read(''{alice}'', ''{00000000-0000-4000-8000-000000000001}'')',
  'select herald.relay_mark_all_read(''alice'', null, null)',
  'select herald.relay_create(''alice'', ''alice'', ''{"title":"x"}'', null)',
  'select herald.relay_delete(''alice'', ''00000000-0000-4000-8000-000000000001'')',
  'create table herald.x ()', 'create function herald.x() returns int language sql as ''select 1''',
  'alter table herald.notifications disable trigger all', 'drop trigger doorbell on herald.notifications',
  'create trigger x before insert on herald.notifications for each row execute function herald.stamp_notification()',
  'lock table herald.notifications in access exclusive mode']) c;
select lives_ok($$ insert into herald.notifications (user_id, title) values ('bob', 'by app') returning id $$,
                'an application may insert and have the id returned');
select lives_ok($$ insert into herald.notifications (user_id, title, version, xid) values ('bob', 'by app', 5, '5') $$,
                'and even name the columns that are stamped');
select lives_ok($$ insert into herald.notifications (user_id, title) values ('bob', 'by app') on conflict do nothing $$,
                'and ignore conflicts');
copy herald.notifications (user_id, title) from stdin;
bob	copied
\.
select lives_ok($$ select herald.prune('0 s') $$, 'and prune, which writes tombstones it could not write');

set role relay_login;
select t.refused(c) from unnest(array[
  'insert into herald.notifications (user_id, title) values (''bob'', ''x'')', 'delete from herald.notifications',
  'update herald.notifications set read_at = now()', 'truncate herald.notifications',
  'select * from herald.users', 'insert into herald.tombstones values (''alice'', gen_random_uuid())',
  'delete from herald.tombstones', 'delete from herald.messages',
  'insert into herald.messages (kind, body) values (''message'', ''{}'')',
  'select * from herald.state', 'select * from herald.epoch', 'select * from herald.migrations',
  'select * from herald.idempotency_keys', 'delete from herald.idempotency_keys',
  'select herald.notify_user(''alice'', ''x'')', 'select herald.broadcast_to_all(''{"type":"x"}'')',
  'select herald.disconnect_user(''alice'')', 'select herald.prune(''1 day'')',
  'select herald.mark_read(''alice'', ''00000000-0000-4000-8000-000000000001''::uuid)',
  'create table herald.x ()', 'create or replace function herald.resolve_user(jsonb) returns text language sql as ''select null''']) c;
select lives_ok(c, 'the relay may ' || c) from unnest(array[
  'select * from herald.feed(pg_current_snapshot())', 'select * from herald.feed(pg_current_snapshot(), 64)', 'select * from herald.feed_settled(pg_current_snapshot(), 64)', 'select herald.relay_schema_version()', 'select herald.relay_epoch()',
  'select herald.resolve_user(''{"sub":"alice"}'')', 'select * from herald.relay_unread_counts(''{alice}'')',
  'select * from herald.relay_page(''alice'', true, 10, null, null)',
  'select * from herald.relay_pages(''{alice}'', ''{t}'', ''{10}'', ''{infinity}'', ''{ffffffff-ffff-ffff-ffff-ffffffffffff}'')',
  'select * from herald.relay_mark_read(''{alice}'', ''{00000000-0000-4000-8000-000000000001}'')',
  'select herald.relay_mark_all_read(''alice'', null, null)', 'select * from herald.relay_tidy()',
  'select herald.relay_create(''alice'', ''alice'', ''{"title":"x"}'', ''k'')',
  'select herald.relay_get(''alice'', ''00000000-0000-4000-8000-000000000001'')',
  'select herald.relay_list(''alice'', null, null, null, 10, null, null)',
  'select herald.relay_set_read(''alice'', ''00000000-0000-4000-8000-000000000001'', true)',
  'select herald.relay_read_all(''alice'', null)',
  'select herald.relay_delete(''alice'', ''00000000-0000-4000-8000-000000000001'')']) c;

set role stranger;
select t.refused(c) from unnest(array['select * from herald.notifications',
  'insert into herald.notifications (user_id, title) values (''bob'', ''x'')',
  'select * from herald.feed(pg_current_snapshot())', 'select * from herald.feed(pg_current_snapshot(), 64)', 'select * from herald.feed_settled(pg_current_snapshot(), 64)', 'select herald.notify_user(''alice'', ''x'')']) c;

-- A security definer function must not be led astray by the caller's own objects.
set role app_login;
create temp table notifications (id uuid);
create function pg_temp.now() returns timestamptz language sql as $$ select 'epoch'::timestamptz $$;
set local search_path = pg_temp, pg_catalog, herald, public;
select public.lives_ok($$ select herald.notify_user('carol', 'astray') $$, 'temporary objects of the caller are not used');
select public.results_eq($$ select title from herald.unread('carol') $$, array['astray'], 'the notification is where it belongs');
reset role;

select public.finish();
rollback;
