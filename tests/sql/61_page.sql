-- herald.relay_page: pages that lose and repeat nothing, also where many rows have the same time.
begin;
select no_plan();

insert into herald.notifications (user_id, title, created_at, read_at, expires_at)
select case when k % 5 = 0 then 'bob' else 'alice' end, k::text,
       timestamptz '2026-01-01Z' + (k / 40) * interval '1 microsecond',
       case when k % 3 = 0 then now() end, case when k % 7 = 0 then now() when k % 11 = 0 then now() + interval '1 h' end
from generate_series(1, 400) k;

create table t.pages (page int, place bigint, title text, unread_count bigint, next text);
create procedure t.walk(who text, unread_only boolean, size int) language plpgsql as $$
declare
  v_notifications text;
  v_count bigint;
  v_next text;
  v_number int := 0;
begin
  delete from t.pages;
  loop
    select p.notifications, p.unread_count, p.next into strict v_notifications, v_count, v_next
      from herald.relay_page(who, unread_only, size, split_part(v_next, '_', 1)::timestamptz, split_part(v_next, '_', 2)::uuid) p;
    v_number := v_number + 1;
    insert into t.pages select v_number, o, e ->> 'title', v_count, v_next
      from json_array_elements(v_notifications::json) with ordinality a (e, o);
    exit when v_next is null;
  end loop;
end
$$;

create function t.expected(who text, unread_only boolean) returns setof text language sql as $$
  select title from herald.notifications
  where user_id = who and (expires_at is null or expires_at > now()) and (read_at is null or not unread_only)
  order by created_at desc, id desc
$$;
create function t.walked(who text, unread_only boolean, size int) returns boolean language plpgsql as $$
begin
  call t.walk(who, unread_only, size);
  return array(select title from t.pages order by page, place) = array(select t.expected(who, unread_only));
end
$$;
select ok(t.walked(who, unread_only, size), format('%s, %s, by %s: all, each once, newest first', who,
            case when unread_only then 'unread' else 'all' end, size))
from unnest(array['alice', 'bob']) who, unnest(array[true, false]) unread_only, unnest(array[1, 3, 40, 1000]) size;

select is((select count(distinct page)::int from t.pages), 1, 'a page that holds everything is the only one');
select count(*)::int as size, count(*)::int - 1 as less from t.expected('alice', true) \gset
call t.walk('alice', true, :size);
select is((select count(distinct page)::int from t.pages), 1, 'also when it is exactly full: next is null');
call t.walk('alice', true, :less);
select results_eq('select count(*)::int from t.pages group by page order by page',
                  format('values (%s), (1)', :less), 'one more row is a second page');
select is(array_agg(distinct unread_count), array[(select count(*) from t.expected('alice', true))],
          'every page has the exact unread count, whatever its size') from t.pages;
select is((select next from herald.relay_page('alice', false, 1, null, null)),
          (select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '_' || id from herald.notifications
           where title = (select t.expected('alice', false) limit 1)), 'next is time and id of the last row');
select row_eq($$ select * from herald.relay_page('nobody', true, 10, null, null) $$, row (0::bigint, '[]'::text, null::text), 'nobody');
select row_eq($$ select * from herald.relay_page(null, true, 10, null, null) $$, row (0::bigint, '[]'::text, null::text), 'null');
select row_eq($$ select * from herald.relay_page('bob', false, 10, '1970-01-01Z', null) $$,
              row ((select count(*) from t.expected('bob', true)), '[]'::text, null::text), 'before everything');
select is(json_array_length(notifications::json), 10, 'before everything to come')
from herald.relay_page('bob', false, 10, 'infinity', null);
select throws_ok(format($$ select herald.relay_page('bob', false, %s, null, null) $$, coalesce(l::text, 'null')), '22023',
                 'p_limit must be 1 to 1000', 'limit ' || coalesce(l::text, 'null'))
from unnest(array[0, -1, 1001, 1000000000, null]) l;

-- A row that arrives, is read or goes between two pages must not shift them.
select next as before, split_part(next, '_', 1) as at, split_part(next, '_', 2) as id
from herald.relay_page('alice', false, 50, null, null) \gset
insert into herald.notifications (user_id, title) values ('alice', 'newest');
delete from herald.notifications where title = (select t.expected('alice', false) offset 10 limit 1);
select is((select array_agg(e ->> 'title') from json_array_elements(p.notifications::json) e),
          (select array_agg(x) from (select t.expected('alice', false) as x offset 50 limit 50) y),
          'the second page goes on where the first ended')
from herald.relay_page('alice', false, 50, :'at', :'id') p;

-- A page ends with the row that brings it to 4 MiB of JSON, whatever was asked for.
insert into herald.notifications (user_id, title, message)
select 'rich', k::text, repeat('m', 1000000) from generate_series(1, 9) k;
call t.walk('rich', true, 1000);
select results_eq('select count(*)::int from t.pages group by page order by page', array[5, 4],
                  'pages of large rows are shorter');
select ok(t.walked('rich', false, 1000), 'and together have all, each once');
update herald.notifications set message = repeat('m', 4000000) where user_id = 'rich' and title <> '9';
select ok(t.walked('rich', true, 1000), 'a row may be nearly as large as a page');
select cmp_ok((select max(n) from (select count(*) as n from t.pages group by page) p), '<=', 2::bigint,
              'which then has two at most');
insert into herald.notifications (user_id, title, message, created_at)
select 'exact', k::text, repeat('m', 2097152 - 2000), now() - k * interval '1 s' from generate_series(1, 3) k;
update herald.notifications n set message = n.message || repeat('m', 2097152 - octet_length(herald.notification_json(n)))
where user_id = 'exact' and title <> '3';
call t.walk('exact', true, 1000);
select cmp_ok((select count(*) from t.pages where page = 1), '=', 2::bigint, 'two rows of 2 MiB fill a page exactly');

-- herald.relay_pages: the same pages, many in one answer.
create function t.pages(users text[]) returns table (unread_count bigint, notifications text, next text) language sql as $$
  select * from herald.relay_pages(users, array_fill(true, array[cardinality(users)]), array_fill(3, array[cardinality(users)]),
    array_fill('infinity'::timestamptz, array[cardinality(users)]),
    array_fill('ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid, array[cardinality(users)]))
$$;
select results_eq($$ select * from t.pages('{bob,nobody,alice,bob,NULL}') $$,
  $$ select p.* from unnest('{bob,nobody,alice,bob,NULL}'::text[]) with ordinality u (id, n),
       lateral herald.relay_page(u.id, true, 3, null, null) p order by u.n $$, 'a row for each place, in their order');
select is_empty($$ select * from t.pages('{}') $$, 'none for none');
select results_eq(format($$ select * from herald.relay_pages('{alice,alice}', '{f,t}', '{2,1}', array[%L, 'infinity']::timestamptz[],
                     array[%L, 'ffffffff-ffff-ffff-ffff-ffffffffffff']::uuid[]) $$, :'at', :'id'),
  format($$ select * from herald.relay_page('alice', false, 2, %L, %L)
            union all select * from herald.relay_page('alice', true, 1, null, null) $$, :'at', :'id'), 'each with its own bounds');
select is((select count(*)::int from t.pages('{exact,rich,alice}')), 1, 'an answer ends with the page that fills 4 MiB');
select is((select count(*)::int from t.pages('{alice,exact,rich,alice}')), 2, 'wherever that is');
select throws_ok($$ select * from herald.relay_pages('{alice,alice}', '{t,t}', '{1,0}', '{infinity,infinity}',
  '{ffffffff-ffff-ffff-ffff-ffffffffffff,ffffffff-ffff-ffff-ffff-ffffffffffff}') $$, '22023', 'p_limit must be 1 to 1000', 'a bad limit');

select * from finish();
rollback;
