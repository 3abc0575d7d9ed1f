-- Two sessions that mark the same rows, and what a session sees that had to wait.
select no_plan();
select t.connect('a');
select t.connect('b');
insert into herald.notifications (id, user_id, title) select format('00000000-0000-4000-8000-0000000000%s', k)::uuid, 'alice', k::text
  from generate_series(10, 19) k;
select array_agg(id order by id) as up, array_agg(id order by id desc) as down, array_fill('alice'::text, array[10]) as users
from herald.notifications \gset

select t.run('a', 'begin');
select t.get('a', format('select count(*)::text from herald.relay_mark_read(%L, %L)', :'users', :'up'));
select is(dblink_send_query('b', format('select version, title from (select m.version, m.notification::json ->> %L as title
  from herald.relay_mark_read(%L, %L) m) x', 'title', :'users', :'down')), 1, 'b marks what a has marked, and waits');
select ok(t.waits(), 'it does wait');
select t.run('a', $$ update herald.notifications set title = 'changed' where title = '19' $$);
select t.run('a', 'commit');
select results_eq($$ select version, count(*)::int, bool_or(title = 'changed') from dblink_get_result('b') as r (version int, title text) group by 1 order by 1 $$,
                  $$ values (2, 9, false), (3, 1, true) $$, 'then it has the state that a committed, and has raised no version');
select * from dblink_get_result('b') as r (version int, title text);

-- Opposite orders, many times: without an order of locks this deadlocks at once.
create procedure t.fight(session text, ids uuid[]) language plpgsql as $$
begin
  for k in 1 .. 300 loop
    perform herald.relay_mark_read(array_fill('alice'::text, array[10]), ids);
    commit;
    -- some are unread again, whichever is free
    update herald.notifications n set read_at = null
    where n.id = (select f.id from herald.notifications f where f.id = any (ids) for update skip locked limit 1);
    commit;
  end loop;
end
$$;
select dblink_send_query('a', format('call t.fight(''a'', %L)', :'up'));
select dblink_send_query('b', format('call t.fight(''b'', %L)', :'down'));
select lives_ok($$ select * from dblink_get_result('a') as r (x text) $$, 'marking in opposite orders at the same time does not deadlock');
select lives_ok($$ select * from dblink_get_result('b') as r (x text) $$, 'for neither');
select * from dblink_get_result('a') as r (x text);
select * from dblink_get_result('b') as r (x text);

-- One dedupe_key from two sessions.
select t.run('a', 'begin');
select t.get('a', $$ select herald.notify_user('alice', 'first', dedupe_key => 'k')::text $$) as first \gset
select dblink_send_query('b', $$ select herald.notify_user('alice', 'second', dedupe_key => 'k')::text $$);
select t.waits();
select t.run('a', 'commit');
select results_eq($$ select id from dblink_get_result('b') as r (id text) $$, array[:'first'], 'the second waits and gets the id of the first');
select * from dblink_get_result('b') as r (id text);
select t.run('a', 'begin');
select t.get('a', $$ select herald.notify_user('alice', 'first', dedupe_key => 'l')::text $$);
select dblink_send_query('b', $$ select (herald.notify_user('alice', 'second', dedupe_key => 'l') is not null)::text $$);
select t.waits();
select t.run('a', 'rollback');
select results_eq($$ select ok from dblink_get_result('b') as r (ok text) $$, array['true'], 'or stores its own when the first rolls back');
select results_eq($$ select title from herald.notifications where dedupe_key = 'l' $$, array['second'], 'and that is what there is');

select * from finish();
