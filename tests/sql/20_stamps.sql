begin;
select no_plan();

create temp table own as select pg_current_xact_id() as xid;
create function pg_temp.row_of(wanted text, out version int, out is_own boolean, out created_here boolean) language sql as
  $$ select n.version, n.xid = own.xid, n.created_xid = own.xid from herald.notifications n, own where n.title = wanted $$;

insert into herald.notifications (user_id, title) values ('alice', 'plain');
select row_eq($$ select * from pg_temp.row_of('plain') $$, row (1, true, true), 'an insert is stamped');

insert into herald.notifications (user_id, title, xid, created_xid, version) values ('alice', 'supplied', '1', '2', 77);
select row_eq($$ select * from pg_temp.row_of('supplied') $$, row (1, true, true), 'supplied values are overwritten');
insert into herald.notifications (user_id, title, xid, created_xid, version) values ('alice', 'nulls', null, null, null);
select row_eq($$ select * from pg_temp.row_of('nulls') $$, row (1, true, true), 'nulls too');

insert into herald.notifications (user_id, title, xid) values ('alice', 'only xid', '1');
insert into herald.notifications (user_id, title, created_xid) values ('alice', 'only created_xid', '1');
insert into herald.notifications (user_id, title, version) values ('alice', 'only version', 0);
select row_eq(format('select * from pg_temp.row_of(%L)', title), row (1, true, true), title)
from unnest(array['only xid', 'only created_xid', 'only version']) title;
update herald.notifications set xid = '1', created_xid = '2', version = 50 where title = 'plain';
select row_eq($$ select * from pg_temp.row_of('plain') $$, row (2, true, true), 'an update raises the version by one, whatever it sets');

-- What is supplied right needs no trigger; what is nearly right does.
insert into herald.notifications (user_id, title) values ('alice', 'right');
create function pg_temp.updates() returns table (version int, is_own boolean, created_here boolean) language plpgsql as $$
declare
  v_set text;
begin
  foreach v_set in array array[
      'version = version + 1, xid = pg_current_xact_id()', 'version = version + 1', 'xid = pg_current_xact_id()',
      'version = version + 2, xid = pg_current_xact_id()', 'version = null, xid = pg_current_xact_id()',
      'version = version + 1, xid = null', 'version = version + 1, xid = ''1''',
      'version = version + 1, xid = pg_current_xact_id(), created_xid = ''1''',
      'version = version + 1, xid = pg_current_xact_id(), created_xid = null',
      'version = version + 1, xid = pg_current_xact_id(), id = gen_random_uuid()'] loop
    execute 'update herald.notifications set ' || v_set || ' where title = ''right''';
    return query select * from pg_temp.row_of('right');
  end loop;
end
$$;
select results_eq('select * from pg_temp.updates()', $$ select k, true, true from generate_series(2, 11) k $$,
                  'an update that stamps the row itself, rightly or not');
delete from herald.notifications where title = 'right';
delete from herald.tombstones;

savepoint a;
savepoint b;
insert into herald.notifications (user_id, title) values ('alice', 'deep');
update herald.notifications set message = 'x' where title = 'plain';
release b;
release a;
select row_eq($$ select * from pg_temp.row_of('deep') $$, row (1, true, true), 'in savepoints it is the id of the whole transaction');
select row_eq($$ select * from pg_temp.row_of('plain') $$, row (3, true, true), 'for updates as well');
savepoint a;
update herald.notifications set message = 'y' where title = 'plain';
rollback to a;
select row_eq($$ select * from pg_temp.row_of('plain') $$, row (3, true, true), 'a savepoint rolled back takes its version back');

do $$ begin
  insert into herald.notifications (user_id, title) values ('alice', 'handler');
exception when others then null; end $$;
select row_eq($$ select * from pg_temp.row_of('handler') $$, row (1, true, true), 'in a block with an exception handler too');

insert into herald.notifications (user_id, title, dedupe_key) values ('alice', 'first', 'k');
insert into herald.notifications (user_id, title, dedupe_key, version) values ('alice', 'second', 'k', 9)
  on conflict (user_id, dedupe_key) where dedupe_key is not null do update set title = excluded.title, version = 9;
select row_eq($$ select * from pg_temp.row_of('second') $$, row (2, true, true), 'an upsert of an existing row is an update');
insert into herald.notifications (user_id, title, dedupe_key) values ('alice', 'third', 'k') on conflict do nothing;
select is_empty($$ select from herald.notifications where title = 'third' $$, 'an insert that conflicts changes nothing');
select row_eq($$ select * from pg_temp.row_of('second') $$, row (2, true, true), 'nor the version of the other');

copy herald.notifications (user_id, title, version) from stdin;
alice	copied	5
\.
select row_eq($$ select * from pg_temp.row_of('copied') $$, row (1, true, true), 'COPY is stamped');

set session_replication_role = replica;
insert into herald.notifications (user_id, title) values ('alice', 'replicated');
select row_eq($$ select * from pg_temp.row_of('replicated') $$, row (1, true, true), 'as a replication worker too');
set session_replication_role = origin;

-- A writer with names of his own in front must not be able to change what the triggers mean.
create schema evil;
create function evil.pg_current_xact_id() returns xid8 language sql as $$ select '7'::xid8 $$;
create function evil.plus(int, int) returns int language sql as 'select 1000';
create operator evil.+ (function = evil.plus, leftarg = int, rightarg = int);
set search_path = evil, pg_catalog, public;
update herald.notifications set message = 'z' where title = 'copied';
reset search_path;
select row_eq($$ select * from pg_temp.row_of('copied') $$, row (2, true, true), 'the writer''s search_path does not matter');

insert into herald.messages (kind, body, xid) values ('message', '{"type":"x"}', '1');
insert into herald.messages (kind, body, xid) values ('message', '{"type":"x"}', null);
insert into herald.messages (kind, body) values ('message', '{"type":"x"}');
select results_eq('select m.xid = own.xid from herald.messages m, own', array[true, true, true], 'a message is stamped');
update herald.messages set xid = '1';
select results_eq('select m.xid = own.xid from herald.messages m, own', array[true, true, true], 'so is an update');

select is_empty('select * from herald.tombstones', 'none of this has left a tombstone');

-- Created elsewhere, updated here.
select t.connect('other');
select t.run('other', $$ insert into herald.notifications (user_id, title) values ('bob', 'elsewhere') $$);
update herald.notifications set message = 'm' where title = 'elsewhere';
select row_eq($$ select * from pg_temp.row_of('elsewhere') $$, row (2, true, false), 'an update keeps created_xid');
update herald.notifications set user_id = 'bob', id = id where title = 'elsewhere';
select row_eq($$ select * from pg_temp.row_of('elsewhere') $$, row (3, true, false), 'an update to the same user and id too');
update herald.notifications set version = version + 1, xid = pg_current_xact_id() where title = 'elsewhere';
select row_eq($$ select * from pg_temp.row_of('elsewhere') $$, row (4, true, false), 'one that stamps the row itself as well');
update herald.notifications set version = version + 1, xid = pg_current_xact_id(), created_xid = pg_current_xact_id() where title = 'elsewhere';
select row_eq($$ select * from pg_temp.row_of('elsewhere') $$, row (5, true, false), 'and cannot make it look new');
update herald.notifications set version = version + 1, xid = pg_current_xact_id(), user_id = 'carol' where title = 'elsewhere';
select row_eq($$ select * from pg_temp.row_of('elsewhere') $$, row (6, true, true), 'another user: it is new to him');
select row_eq($$ select user_id, notification_id = (select id from herald.notifications where title = 'elsewhere')
                 from herald.tombstones $$, row ('bob'::text, true), 'and deleted for the one before');

-- Tombstones.
delete from herald.tombstones;
update herald.notifications set id = '00000000-0000-4000-8000-000000000001' where title = 'elsewhere';
select row_eq($$ select user_id, notification_id <> '00000000-0000-4000-8000-000000000001' from herald.tombstones $$,
              row ('carol'::text, true), 'another id: the old one is deleted');
delete from herald.tombstones;
delete from herald.notifications where title in ('plain', 'deep');
select results_eq('select user_id, tombstones.xid = own.xid from herald.tombstones, own',
                  $$ values ('alice', true), ('alice', true) $$, 'a tombstone for each row deleted');
delete from herald.tombstones;
delete from herald.notifications where false;
select is_empty('select * from herald.tombstones', 'a delete of nothing leaves none');
delete from herald.tombstones;
-- As an apply worker of logical replication deletes: without statement triggers.
alter table herald.notifications disable trigger bury_deleted;
insert into herald.notifications (user_id, title) values ('dora', 'gone by replication');
set local session_replication_role = replica;
delete from herald.notifications where title = 'gone by replication';
set local session_replication_role = origin;
alter table herald.notifications enable always trigger bury_deleted;
select results_eq('select user_id, tombstones.xid = own.xid from herald.tombstones, own', $$ values ('dora', true) $$,
                  'a replicated delete leaves a tombstone');
delete from herald.tombstones;
truncate herald.notifications;
select results_eq('select user_id, notification_id, tombstones.xid = own.xid from herald.tombstones, own',
                  'select null::text, null::uuid, true', 'one tombstone stands for TRUNCATE');

create function pg_temp.supply() returns trigger language plpgsql as
  $$ begin new.xid := '3'; new.created_xid := '3'; new.version := 3; return new; end $$;
create trigger a before insert on herald.notifications for each row execute function pg_temp.supply();
insert into herald.notifications (user_id, title) values ('alice', 'by a trigger');
drop trigger a on herald.notifications;
select row_eq($$ select * from pg_temp.row_of('by a trigger') $$, row (1, true, true), 'also those that a trigger supplies');

select * from finish();
rollback;
