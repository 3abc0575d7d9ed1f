-- herald.relay_tidy and herald.prune. Without a transaction: what it may delete depends on which transactions have ended.
select no_plan();
select t.connect('other');
-- relay_tidy's clocks are set back instead of waiting.
create function t.minutes_pass(minutes int) returns void language sql as $$
  update herald.state set messages_settled_at = messages_settled_at - minutes * interval '1 minute'
$$;
\set tidy 'select * from herald.relay_tidy()'

-- Messages
select herald.broadcast_to_all('{"type":"first"}');
select row_eq(:'tidy', row (0::bigint, 0::bigint, 0::bigint), 'a new message is kept');
select t.minutes_pass(4);
select row_eq(:'tidy', row (0::bigint, 0::bigint, 0::bigint), 'for 4 minutes too');
select t.run('other', 'begin');
select t.get('other', $$ select herald.broadcast_to_all('{"type":"of a long transaction"}')::text $$);
select herald.broadcast_to_all('{"type":"second"}');
select t.minutes_pass(1);
select row_eq(:'tidy', row (1::bigint, 0::bigint, 0::bigint), 'after 5 minutes it goes');
select t.minutes_pass(100);
select row_eq(:'tidy', row (0::bigint, 0::bigint, 0::bigint), 'but not while a transaction older than it is running');
select t.run('other', 'commit');
select t.minutes_pass(4);
select row_eq(:'tidy', row (0::bigint, 0::bigint, 0::bigint), 'a message of a long transaction is kept after its commit');
select t.minutes_pass(1);
select row_eq(:'tidy', row (0::bigint, 0::bigint, 0::bigint), 'until 5 minutes later');
select t.minutes_pass(5);
select row_eq(:'tidy', row (2::bigint, 0::bigint, 0::bigint), 'then both go');
select herald.broadcast_to_all('{"type":"from another cluster"}');
alter table herald.messages disable trigger zz_stamp;
update herald.messages set xid = '9000000000000000000', created_at = now() - interval '2 days';
alter table herald.messages enable always trigger zz_stamp;
select t.minutes_pass(5);
select row_eq(:'tidy', row (1::bigint, 0::bigint, 0::bigint), 'a message with an id of the future goes after a day');

-- Tombstones
insert into herald.tombstones select 'alice', gen_random_uuid(), k::text::xid8,
  now() - case when k <= 20 then interval '31 days' else interval '29 days' end from generate_series(11, 30) k;
select row_eq(:'tidy', row (0::bigint, 10::bigint, 0::bigint), 'tombstones older than 30 days go');
select is((select tombstones_pruned_xid from herald.state), '21'::xid8, 'and cursors below the first complete transaction are void');
select is((select min(xid::text::bigint) from herald.tombstones), 21::bigint, 'which still has its own');
select row_eq(:'tidy', row (0::bigint, 0::bigint, 0::bigint), 'the others stay');
select is((select tombstones_pruned_xid from herald.state), '21'::xid8, 'and the mark too');
insert into herald.tombstones select 'alice', gen_random_uuid(), '5', now() - interval '31 days' from generate_series(1, 25000);
select row_eq(:'tidy', row (0::bigint, 25000::bigint, 0::bigint), 'those of one transaction go together');
select is((select tombstones_pruned_xid from herald.state), '21'::xid8, 'the mark never goes back');
truncate herald.tombstones;
insert into herald.tombstones select 'alice', gen_random_uuid(), (k + 100)::text::xid8, now() - interval '31 days'
  from generate_series(1, 15000) k;
select row_eq(:'tidy', row (0::bigint, 10000::bigint, 0::bigint), 'many transactions go in batches');
select ok((select tombstones_pruned_xid from herald.state) <=
          (select xid from herald.tombstones order by xid limit 1), 'and the mark is never above what is left');
truncate herald.tombstones;

-- Expired notifications
insert into herald.notifications (user_id, title, expires_at) select 'alice', 'old', now() - interval '1 s' from generate_series(1, 1500);
insert into herald.notifications (user_id, title, expires_at) values ('alice', 'later', now() + interval '1 h'), ('alice', 'never', null);
select t.run('other', 'begin');
select t.get('other', $$ select id::text from herald.notifications where title = 'old' order by expires_at limit 1 for update $$) as locked \gset
select row_eq(:'tidy', row (0::bigint, 0::bigint, 1000::bigint), 'expired notifications go, 1000 at a time');
select row_eq(:'tidy', row (0::bigint, 0::bigint, 499::bigint), 'but one that is locked is not waited for');
select t.run('other', 'rollback');
select row_eq(:'tidy', row (0::bigint, 0::bigint, 1::bigint), 'and goes the next time');
select set_eq('select title from herald.notifications', array['later', 'never'], 'others stay');
select is((select count(*)::int from herald.tombstones), 1500, 'each leaves a tombstone');

select t.run('other', 'begin');
select t.get('other', 'select count(*)::text from herald.relay_tidy()');
insert into herald.notifications (user_id, title, expires_at) values ('alice', 'old', now());
select row_eq(:'tidy', row (0::bigint, 0::bigint, 0::bigint), 'while another relay does it, nothing happens');
select t.run('other', 'commit');
select row_eq(:'tidy', row (0::bigint, 0::bigint, 1::bigint), 'afterwards it does');

-- prune
truncate herald.notifications;
insert into herald.notifications (user_id, title, created_at, read_at, expires_at) values
  ('alice', 'old read', now() - interval '10 days', now(), null), ('alice', 'old unread', now() - interval '10 days', null, null),
  ('alice', 'new', now(), null, null), ('alice', 'expired', now(), null, now());
select t.run('other', 'begin');
select t.run('other', $$ update herald.notifications set message = 'x' where title = 'old unread' $$);
select is(herald.prune('9 days'), 2::bigint, 'prune deletes what is older, read or not, and what has expired, but no locked row');
select t.run('other', 'commit');
select is(herald.prune('9 days'), 1::bigint, 'which goes the next time');
select results_eq('select title from herald.notifications', array['new'], 'younger ones stay');
select throws_ok($$ select herald.prune('-1 day') $$, '22023', 'older_than must be an interval of 0 or more', 'a negative age');
select throws_ok($$ select herald.prune(null) $$, '22023', 'older_than must be an interval of 0 or more', 'no age');
select is(herald.prune('0'), 1::bigint, 'everything');

select * from finish();
