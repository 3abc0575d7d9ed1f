-- However large the tables are, and whatever their statistics say, no statement of a relay reads one of them from end
-- to end: PostgreSQL's own counters of sequential scans stay still. HERALD_BIG_ROWS is how many notifications there are.
\set rows 200000
\getenv rows HERALD_BIG_ROWS
select no_plan();

-- One user has half of the rows, the others about a hundred each.
insert into herald.notifications (user_id, title, read_at, expires_at)
select case when k % 2 = 0 then 'big' else 'user ' || k / 2 % (:rows / 200) end, 'title ' || k,
       case when k % 5 > 0 then now() end, case when k % 1000 = 0 then now() + interval '1 day' end
from generate_series(1, :rows) k;
insert into herald.messages (kind, body) select 'message', '{"type":"x"}' from generate_series(1, :rows / 10) k;
select pg_current_snapshot() as since \gset
delete from herald.notifications where ctid in (select ctid from herald.notifications limit :rows / 10);

-- Sequential scans of the tables that grow, in this transaction.
create function t.whole_reads() returns bigint language sql as $$
  select sum(pg_stat_get_xact_numscans(c.oid))::bigint
  from unnest('{herald.notifications,herald.tombstones,herald.messages}'::regclass[]) c (oid)
$$;

-- Seven times: PostgreSQL thinks about a plan for all parameters after the fifth.
create function t.whole_reads_of(query text) returns bigint language plpgsql as $$
declare
  v_before bigint := t.whole_reads();
begin
  execute 'prepare asked as ' || query;
  for turn in 1 .. 7 loop
    execute 'execute asked';
  end loop;
  deallocate asked;
  return t.whole_reads() - v_before;
end
$$;

-- The statements of relay/desk.c; those of more than one user for as many as a relay puts into one.
create function t.desk_statements() returns table (name text, query text) language plpgsql as $$
declare
  v_users text[];
  v_owners text[];
  v_ids uuid[];
  v_ones text;
  v_none text := array_fill('00000000-0000-0000-0000-000000000000'::uuid, array[100])::text;
begin
  select array_agg('user ' || k) into v_users from generate_series(1, 100) k;
  select array_agg(x.user_id), array_agg(x.id) into v_owners, v_ids
  from (select n.user_id, n.id from herald.notifications n where n.user_id = any(v_users) limit 1000) x;
  v_ones := array_fill(1, array[100])::text;
  return query values
    ('counts of a user', $q$ select * from herald.relay_unread_counts('{user 7}') $q$),
    ('counts of 100', format('select * from herald.relay_unread_counts(%L)', v_users)),
    ('a page', $q$ select * from herald.relay_page('user 7', false, 50, null, null) $q$),
    ('a page of unread ones', $q$ select * from herald.relay_page('user 7', true, 100, null, null) $q$),
    ('a later page', $q$ select * from herald.relay_page('big', false, 100, now(), gen_random_uuid()) $q$),
    ('two pages', $q$ select * from herald.relay_pages('{user 7,user 9}', '{t,f}', '{50,50}', '{infinity,infinity}', '{ffffffff-ffff-ffff-ffff-ffffffffffff,ffffffff-ffff-ffff-ffff-ffffffffffff}') $q$),
    ('a page of nobody', $q$ select * from herald.relay_page('nobody', true, 50, null, null) $q$),
    ('mark one read', format('select * from herald.relay_mark_read(%L, %L)', v_owners[1:1], v_ids[1:1])),
    ('mark 1000 read', format('select * from herald.relay_mark_read(%L, %L)', v_owners, v_ids)),
    ('mark all read', $q$ select herald.relay_mark_all_read('user 9', null, null) $q$),
    ('resume one', format('select * from herald.relay_resume(%L, %L, %L, %L, %L, 500, 1000000)',
                          v_users[1:1], '{1}', '{0}', '{0}', '{00000000-0000-0000-0000-000000000000}')),
    ('resume 100', format('select * from herald.relay_resume(%L, %L, %L, %L, %L, 500, 1000000)',
                          v_users, v_ones, v_ones, v_ones, v_none)),
    ('tidy', 'select * from herald.relay_tidy()');
end
$$;

create function t.all_whole_reads(when_ text) returns setof text language sql as $$
  select is(t.whole_reads_of(s.query), 0::bigint, when_ || ', ' || s.name) from t.desk_statements() s
$$;

-- The feed's session has settings of its own.
create function t.feed_whole_reads(since pg_snapshot) returns bigint language sql
  set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan as $$
  select t.whole_reads_of(format('select * from herald.feed(%L, 64)', since))
$$;

begin;
select isnt((select count(*) from herald.messages), 0::bigint, 'a count of all messages');
select cmp_ok(t.whole_reads(), '>', 0::bigint, 'is noticed');
commit;
-- Old messages are searched for once in five minutes and by no index: most of the table goes.
select is(t.whole_reads_of('select * from herald.relay_tidy()'), 1::bigint, 'a tidy that looks for old messages reads them once');
select t.all_whole_reads('never analyzed');
select is(t.feed_whole_reads(:'since'), 0::bigint, 'never analyzed, the feed after a big transaction');
analyze herald.notifications, herald.tombstones, herald.messages;
select t.all_whole_reads('analyzed');
select is(t.feed_whole_reads(:'since'), 0::bigint, 'analyzed, the feed after a big transaction');
select is(t.feed_whole_reads(pg_current_snapshot()), 0::bigint, 'analyzed, the feed when nothing happened');

select * from finish();
