-- Every function of the relay visits the rows it needs and no others: counted, in a table that has never been analyzed
-- and has one user with most of the rows.
select no_plan();
insert into herald.notifications (user_id, title, read_at)
select case when k % 4 = 0 then 'user ' || k % 500 else 'big' end, 'title ' || k, case when k % 5 > 0 then now() end
from generate_series(1, 60000) k;
insert into herald.notifications (user_id, title, expires_at) select 'user 4', 'expired', now() from generate_series(1, 20);

create function t.cost(query text) returns bigint language plpgsql as $$
declare
  v_before bigint := t.visited();
begin
  execute query;
  return t.visited() - v_before;
end
$$;
-- The transaction so far; a bitmap reads entries without fetching rows.
create function t.entries() returns bigint language sql as $$
  select sum(pg_stat_get_xact_tuples_returned(c.oid))::bigint from pg_class c
  where c.relnamespace = 'herald'::regnamespace and c.relkind in ('r', 'i')
$$;
create function t.resume_entries() returns bigint language plpgsql as $$
declare
  v_before bigint := t.entries();
  v_ids uuid[] := array_fill('00000000-0000-0000-0000-000000000000'::uuid, array[2]);
begin
  perform * from herald.relay_resume('{user 4,user 8}', '{1,1}', '{0,0}', '{0,0}', v_ids, 500, 1000000);
  return t.entries() - v_before;
end
$$;
delete from herald.notifications where ctid in (select ctid from herald.notifications where user_id = 'big' limit 10000);

create function t.all_costs(when_ text) returns setof text language plpgsql as $$
declare
  v_users text[];
  v_ids uuid[];
begin
  select array_agg(user_id), array_agg(id) into v_users, v_ids
  from (select user_id, id from herald.notifications where read_at is null and user_id <> 'big' limit 100) x;
  return next cmp_ok(t.cost('select * from herald.relay_unread_counts(''{user 4,user 8,nobody}'')'), '<=', 200::bigint, when_ || ', counts');
  return next cmp_ok(t.cost('select * from herald.relay_page(''user 4'', true, 20, null, null)'), '<=', 200::bigint, when_ || ', unread page');
  return next cmp_ok(t.cost('select * from herald.relay_page(''user 4'', false, 20, null, null)'), '<=', 200::bigint, when_ || ', page');
  return next cmp_ok(t.cost('select * from herald.relay_page(''user 4'', false, 20, now(), gen_random_uuid())'), '<=', 200::bigint, when_ || ', next page');
  return next cmp_ok(t.cost('select * from herald.relay_pages(''{user 4,user 8}'', ''{t,f}'', ''{20,20}'', ''{infinity,infinity}'', ''{ffffffff-ffff-ffff-ffff-ffffffffffff,ffffffff-ffff-ffff-ffff-ffffffffffff}'')'), '<=', 400::bigint, when_ || ', two pages');
  return next cmp_ok(t.cost('select * from herald.relay_list(''user 4'', true, null, null, 20, null, null)'), '<=', 200::bigint, when_ || ', unread list');
  return next cmp_ok(t.cost('select * from herald.relay_list(''user 4'', null, ''x'', null, 20, null, null)'), '<=', 400::bigint, when_ || ', list of a category');
  return next cmp_ok(t.cost('select herald.relay_get(''user 4'', gen_random_uuid())'), '<=', 5::bigint, when_ || ', one');
  return next cmp_ok(t.cost('select herald.relay_set_read(''user 4'', gen_random_uuid(), true)'), '<=', 5::bigint, when_ || ', set read');
  return next cmp_ok(t.cost('select herald.relay_delete(''user 4'', gen_random_uuid())'), '<=', 5::bigint, when_ || ', delete');
  return next cmp_ok(t.cost('select herald.relay_create(''user 4'', ''user 4'', ''{"title":"x"}'', gen_random_uuid()::text)'), '<=', 25::bigint, when_ || ', create');
  return next cmp_ok(t.cost('select * from herald.unread(''big'', 20)'), '<=', 20::bigint, when_ || ', unread of the big user');
  return next cmp_ok(t.cost(format('select * from herald.relay_mark_read(%L, %L)', v_users, v_ids)), '<=', 400::bigint, when_ || ', mark 100 read');
  return next cmp_ok(t.cost(format('select herald.mark_read(''big'', %L::uuid[])', v_ids)), '<=', 400::bigint, when_ || ', mark_read of 100');
  return next cmp_ok(t.cost('select herald.relay_mark_all_read(''user 4'', null, null)'), '<=', 400::bigint, when_ || ', mark all read');
  return next cmp_ok(t.cost('select * from herald.relay_tidy()'), '<=', 60::bigint, when_ || ', tidy');
  return next cmp_ok(t.resume_entries(), '<=', 1500::bigint, when_ || ', resume, among everybody''s changes and deletions');
end
$$;
select t.all_costs('never analyzed');
analyze herald.notifications;
analyze herald.tombstones;
select t.all_costs('analyzed');
delete from herald.notifications where user_id <> 'big';
analyze herald.notifications;
insert into herald.notifications (user_id, title) select 'user ' || k % 500, 'title ' || k from generate_series(1, 20000) k;
select cmp_ok(t.resume_entries(), '<=', 1500::bigint, 'analyzed when there was one user, resume');
vacuum herald.notifications;
-- A few rows more than the page: pages of the table that vacuum found not quite clean.
select cmp_ok(t.cost('select * from herald.relay_page(''big'', false, 20, null, null)'), '<=', 30::bigint, 'page of the big user');
select cmp_ok(t.cost('select * from herald.relay_unread_counts(''{big}'')'), '<=', 10::bigint, 'count of the big user, from the index alone');

delete from herald.notifications;
insert into herald.notifications (user_id, title) select 'user ' || k % 500, 'title ' || k from generate_series(1, 2000) k;
analyze herald.notifications;
insert into herald.notifications (user_id, title) select 'user ' || k % 500, 'title ' || k from generate_series(1, 20000) k;
select t.all_costs('ten times what it was when analyzed');

select * from finish();
