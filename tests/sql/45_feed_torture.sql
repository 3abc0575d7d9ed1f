-- Eight writers for some seconds, with savepoints, rollbacks, waits, deletes and moves, while one session follows the
-- feed as a relay does. Whoever follows must end with exactly what the table holds, and must never see the same twice.
select no_plan();
\setenv PGHOST :HOST
\setenv PGUSER :USER
\setenv PGDATABASE :DBNAME
insert into herald.notifications (user_id, title) select 'user ' || k % 20, 'before' from generate_series(1, 200) k;
create table t.known (id uuid primary key, user_id text not null, version int not null, title text);
create table t.faults (fault text, id uuid, detail text);
create unlogged table t.done (at timestamptz);

create procedure t.follow() language plpgsql as $$
declare
  v_since pg_snapshot := pg_current_snapshot();
  v_next pg_snapshot;
  v_row record;
  v_known t.known;
  v_last boolean;
begin
  insert into t.known select n.id, n.user_id, n.version, n.title from herald.notifications n;
  commit;
  loop
    v_last := exists (select from t.done);
    for v_row in select * from herald.feed(v_since, 64) loop
      if v_row.kind = 'h' then
        v_next := v_row.snapshot;
        continue;
      end if;
      select k.* into v_known from t.known k where k.id = v_row.id::uuid;
      if v_row.kind = 'd' then
        delete from t.known k where k.id = v_row.id::uuid and k.user_id = v_row.user_id;
        continue;
      end if;
      if v_known.version >= v_row.version then
        insert into t.faults values ('told twice', v_row.id::uuid, v_row.version::text);
      end if;
      if v_row.kind = 'n' and v_known.user_id = v_row.user_id then
        insert into t.faults values ('told as new though known', v_row.id::uuid, v_row.version::text);
      end if;
      if v_row.kind = 'u' and v_known.user_id is distinct from v_row.user_id then
        insert into t.faults values ('told as changed though unknown', v_row.id::uuid, v_row.version::text);
      end if;
      insert into t.known values (v_row.id::uuid, v_row.user_id, v_row.version, v_row.body::json ->> 'title')
        on conflict (id) do update set user_id = excluded.user_id, version = excluded.version, title = excluded.title;
    end loop;
    v_since := v_next;
    commit;
    exit when v_last;
    perform pg_sleep(0.001);
    rollback;
  end loop;
end
$$;
create function t.some_id() returns uuid language sql as $$
  select id from herald.notifications where id >= gen_random_uuid() order by id limit 1
$$;

-- For some seconds more where the machine is so slow that too little was written.
\! (for turn in 1 2 3 4 5; do pgbench -n -c 8 -j 2 -T 4 --max-tries=1000 -f "$HERALD_TESTS/torture.pgbench"; [ "$(psql -XAtqc 'select count(*) > 2000 from herald.notifications')" = f ] || break; done > "$PGHOST/torture.log" 2>&1; psql -Xqc "insert into t.done values (now())") &
call t.follow();
\! grep -E 'actually|retries' "$PGHOST/torture.log" | sed 's/^/# /'

select cmp_ok((select count(*) from herald.notifications), '>', 2000::bigint, 'the writers have written');
select is_empty('select * from t.faults', 'nothing was told twice, or as new when it was known, or as changed when it was not');
select is_empty('select id, user_id, version, title from herald.notifications except select id, user_id, version, title from t.known',
                'nothing is missing or out of date');
select is_empty('select id from t.known except select id from herald.notifications', 'nothing is left that has been deleted');

select * from finish();
