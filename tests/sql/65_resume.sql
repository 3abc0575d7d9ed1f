-- herald.relay_resume: what changed for a user since a cursor, in pieces that lose and repeat nothing.
begin;
select no_plan();

-- One question, as the relay asks it.
create function t.resume(who text, since xid8, max_rows int default 501, max_bytes int default 262144)
  returns table (kind text, title text, id uuid)
  language sql as $$
  select r.kind, r.body::json ->> 'title', r.id
  from herald.relay_resume(array[who], array[since], array['0'::xid8], array[0],
                           array['00000000-0000-0000-0000-000000000000'::uuid], max_rows, max_bytes) r
$$;

-- Another session writes, before and after the cursor.
select t.connect('other');
select t.run('other', $$ insert into herald.notifications (id, user_id, title) values
  ('00000000-0000-4000-8000-000000000001', 'alice', 'old'), ('00000000-0000-4000-8000-000000000002', 'alice', 'changed'),
  ('00000000-0000-4000-8000-000000000003', 'alice', 'deleted'), ('00000000-0000-4000-8000-000000000004', 'bob', 'his') $$);
create temp table cursor_now as select pg_snapshot_xmax(pg_current_snapshot()) as since;
select results_eq($$ select r.kind from cursor_now, t.resume('alice', since) r $$, array['e'], 'nothing has changed: only the end');
select t.run('other', $$ update herald.notifications set message = 'm' where title = 'changed' $$);
select t.run('other', $$ delete from herald.notifications where title = 'deleted' $$);
select t.run('other', $$ insert into herald.notifications (id, user_id, title) values ('00000000-0000-4000-8000-000000000005', 'alice', 'new') $$);
select t.run('other', $$ insert into herald.notifications (id, user_id, title, expires_at)
  values ('00000000-0000-4000-8000-000000000006', 'alice', 'expired', now() - interval '1 hour') $$);
select results_eq($$ select r.kind, r.title from cursor_now, t.resume('alice', since) r $$,
  $$ values ('u', 'changed'), ('d', null), ('n', 'new'), ('d', null), ('e', null) $$,
  'changed, deleted, new and expired ones, in the order of their transactions');
select results_eq($$ select r.kind, r.title from cursor_now, t.resume('bob', since) r $$, $$ values ('e', null::text) $$,
                  'another user''s changes are not among them');
select results_eq($$ select kind from t.resume('bob', '0') $$, array['n', 'e'], 'since ever: everything');
select results_eq($$ select kind from t.resume('nobody', '0') $$, array['e'], 'a user without notifications');

-- Pieces.
insert into herald.notifications (user_id, title) select 'carol', k::text from generate_series(1, 1000) k;
create function t.walk_resume(who text, since xid8, max_rows int, max_bytes int) returns setof text language plpgsql as $$
declare
  r record;
  v_xid xid8 := '0';
  v_rank int := 0;
  v_id uuid := '00000000-0000-0000-0000-000000000000';
  v_more boolean := true;
begin
  while v_more loop
    for r in select * from herald.relay_resume(array[who], array[since], array[v_xid], array[v_rank], array[v_id], max_rows, max_bytes) loop
      v_more := r.kind = 'm';
      exit when r.kind in ('m', 'e', 'r');
      v_xid := r.xid::xid8;
      v_rank := r.rank;
      v_id := r.id;
      return next r.id::text;
    end loop;
  end loop;
end
$$;
select set_eq($$ select * from t.walk_resume('carol', '0', 7, 1000000) $$,
              $$ select id::text from herald.notifications where user_id = 'carol' $$, 'pieces by rows: every row');
select is((select count(*) from t.walk_resume('carol', '0', 7, 1000000)), 1000::bigint, 'and each once');
select is((select count(*) from t.walk_resume('carol', '0', 1000, 2000)), 1000::bigint, 'pieces by bytes: each once');
select is((select count(*) from t.walk_resume('carol', '0', 1000, 1)), 1000::bigint, 'at least one row a piece');

-- Several users in one statement.
select results_eq($$ select n, kind from herald.relay_resume(array['bob', 'nobody', 'bob'], array['0', '0', '0']::xid8[],
                       array['0', '0', '0']::xid8[], array[0, 0, 0], array_fill('00000000-0000-0000-0000-000000000000'::uuid, array[3]), 5, 5000) $$,
  $$ values (1, 'n'), (1, 'e'), (2, 'e'), (3, 'n'), (3, 'e') $$, 'answers come in the order of the questions');
select is_empty($$ select * from herald.relay_resume('{}', '{}', '{}', '{}', '{}', 5, 5000) $$, 'no question, no answer');

-- Too long ago.
update herald.state set tombstones_pruned_xid = (select since from cursor_now);
select results_eq($$ select kind from t.resume('alice', '5') $$, array['r'], 'tombstones since then are gone');
select results_eq($$ select r.kind from cursor_now, t.resume('bob', since) r $$, array['e'], 'they are complete from here on');
select t.run('other', 'delete from herald.notifications');
truncate herald.notifications;
select results_eq($$ select kind from t.resume('alice', pg_current_xact_id()) $$, array['r'], 'everything was truncated since');

select * from finish();
rollback;
