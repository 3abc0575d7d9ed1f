-- Rows of another cluster: found by the system's number, re-stamped where their transaction ids lie in the future.
select no_plan();
select herald.relay_epoch() as epoch \gset
select is((select system_identifier from herald.state), (select system_identifier from pg_control_system()), 'a new schema is of here');
select is(herald.restamp(), 0::bigint, 'and has nothing to re-stamp');
select is(herald.relay_epoch(), :'epoch', 'which changes no history');

insert into herald.notifications (user_id, title) select 'alice', t from unnest(array['ours', 'foreign', 'changed here', 'below']) t;
insert into herald.tombstones select 'alice', gen_random_uuid(), x::xid8 from unnest(array['4', '900000000']) x;
select herald.broadcast_to_all('{"type":"ours"}'), herald.broadcast_to_all('{"type":"foreign"}');
alter table herald.notifications disable trigger zz_stamp;
alter table herald.messages disable trigger zz_stamp;
update herald.notifications set xid = '900000001', created_xid = '900000000' where title in ('foreign', 'changed here');
update herald.notifications set xid = '9', created_xid = '8' where title = 'below';
update herald.messages set xid = '900000000' where body like '%foreign%';
alter table herald.notifications enable always trigger zz_stamp;
alter table herald.messages enable always trigger zz_stamp;
update herald.notifications set message = 'x' where title = 'changed here';
update herald.state set tombstones_pruned_xid = '900000000', messages_settled_xid = '900000000', messages_settled_at = now();
create temp table before as select * from herald.notifications;

update herald.state set system_identifier = 1;
select throws_ok('select herald.relay_epoch()', '55000',
                 'run `pgherald migrate`: the rows come from another cluster (a restore, or pg_upgrade)', 'relays refuse to serve them');
update herald.state set system_identifier = null;
select throws_ok('select herald.relay_epoch()', '55000', null, 'and those of nobody knows where');
select is(herald.restamp(), 2::bigint, 'rows of the future are re-stamped');
select is(herald.relay_epoch(), :'epoch', 'and relays serve');
select results_eq($$ select xid, created_xid from herald.notifications where title = 'foreign' $$, $$ values ('3'::xid8, '3'::xid8) $$,
                  'they are older than any transaction');
select results_eq($$ select xid, created_xid from herald.notifications where title = 'changed here' $$,
                  $$ select xid, '3'::xid8 from before where title = 'changed here' $$, 'a change made here keeps its own id');
select results_eq($$ select * from herald.notifications where title in ('ours', 'below') order by id $$,
                  $$ select * from before where title in ('ours', 'below') order by id $$, 'what is of the past is left alone');
select set_eq('select id, version, message, read_at from herald.notifications', 'select id, version, message, read_at from before',
              'nothing else of any row has changed');
select set_eq('select xid from herald.tombstones', $$ values ('4'::xid8) $$, 'tombstones of the future are gone');
select set_eq($$ select body::json ->> 'type' from herald.messages $$, array['ours'], 'messages too: they would be sent once more');
select ok((select tombstones_pruned_xid <= pg_snapshot_xmax(pg_current_snapshot()) and messages_settled_xid = '0' from herald.state),
          'and housekeeping starts anew');
select is((select tgenabled from pg_trigger where tgrelid = 'herald.notifications'::regclass and tgname = 'zz_stamp'), 'A'::"char",
          'stamping goes on, in replicas too');
update herald.notifications set message = 'y' where title = 'foreign';
select ok((select xid > '3' and created_xid = '3' from herald.notifications where title = 'foreign'), 'a change afterwards is one of an old row');

select * from finish();
