-- Sessions: relay and relay2 listen and may sleep (hold a key); app writes. No transaction here: bells follow commits.
select no_plan();
select t.connect('relay');
select t.connect('relay2');
select t.connect('app');
select t.connect('barrier');
select t.run('relay', 'listen herald');
select t.run('relay2', 'listen herald');

create function t.sleep(relay text, key int) returns text language sql as
  $$ select t.get(relay, format('select pg_try_advisory_lock(1212502606, %s)::text', key)) $$;
create function t.wake(relay text, key int) returns text language sql as
  $$ select t.get(relay, format('select pg_advisory_unlock(1212502606, %s)::text', key)) $$;
\set insert 'insert into herald.notifications (user_id, title) values (\'alice\', \'x\')'

select t.run('app', :'insert');
select is(t.bells('relay'), '', 'nobody sleeps: no bell');

create function t.woken_on(key int) returns text language sql as $$
  select t.sleep('relay', key);
  select t.run('app', 'insert into herald.notifications (user_id, title) values (''alice'', ''x'')');
  select t.wake('relay', key);
  select t.bells('relay');
$$;
select is(t.woken_on(k), 'insert', 'a relay that sleeps on key ' || k || ' is woken by a writer') from generate_series(0, 3) k;

select is(t.sleep('relay', 1), 'true', 'one relay sleeps on key 1');
select is(t.sleep('relay2', 1), 'false', 'another cannot have the same');
select is(t.sleep('relay2', 3), 'true', 'but key 3');
select t.bells('relay2');
select t.run('app', :'insert');
select is(t.bells('relay'), 'insert', 'one bell wakes the first');
select is(t.bells('relay2'), 'insert', 'and the second');
select t.wake('relay2', 3);

-- From here on relay sleeps on key 1.
select t.run('app', $$ update herald.notifications set message = 'y' $$);
select is(t.bells('relay'), 'update', 'an update rings');
select t.run('app', $$ delete from herald.notifications $$);
select is(t.bells('relay'), 'delete', 'a delete rings');
select t.run('app', $$ truncate herald.notifications $$);
select is(t.bells('relay'), 'truncate', 'a truncate rings');
select t.run('app', $$ delete from herald.notifications where user_id = 'nobody' $$);
select is(t.bells('relay'), '', 'a statement that changes nothing does not');
select t.run('app', $$ copy herald.notifications (user_id, title) from program 'printf "alice\tcopied\n"' $$);
select is(t.bells('relay'), 'insert', 'COPY rings');
select t.get('app', $$ select herald.broadcast_to_all('{"type":"x"}')::text $$);
select is(t.bells('relay'), 'insert', 'a broadcast rings');
select t.get('app', $$ select herald.disconnect_user('alice')::text $$);
select is(t.bells('relay'), 'insert', 'a disconnect rings');
select t.run('app', 'begin');
select t.run('app', :'insert') from generate_series(1, 5);
select t.run('app', 'commit');
select is(t.bells('relay'), 'insert', 'five inserts of one transaction ring once');

select t.run('app', 'begin');
select t.run('app', :'insert');
select is(t.bells('relay'), '', 'before the commit no bell');
select t.run('app', 'rollback');
select is(t.bells('relay'), '', 'and none after a rollback');
select t.run('app', 'begin');
select t.run('app', 'savepoint a');
select t.run('app', :'insert');
select t.run('app', 'rollback to a');
select t.run('app', 'commit');
select is(t.bells('relay'), '', 'nor for a savepoint that is rolled back');

select t.run('app', 'set role herald_app');
select t.run('app', :'insert');
select is(t.bells('relay'), 'insert', 'herald_app rings');
select t.run('app', 'reset role');
select t.run('app', 'set session_replication_role = replica');
select t.run('app', :'insert');
select is(t.bells('relay'), 'insert', 'a replication worker rings');
select t.run('app', 'reset session_replication_role');

select t.run('app', 'set herald.quiet = on');
select t.run('app', :'insert');
select is(t.bells('relay'), '', 'herald.quiet is quiet');
select t.run('app', 'begin');
select t.run('app', :'insert');
select lives_ok($$ select t.run('app', 'prepare transaction ''p''') $$, 'so that a transaction can be prepared');
select t.run('app', 'commit prepared ''p''');
select t.run('app', 'set herald.quiet = off');
select t.run('app', :'insert');
select is(t.bells('relay'), 'insert', 'off again, it rings');
select t.run('app', 'begin');
select t.run('app', :'insert');
select throws_like($$ select t.run('app', 'prepare transaction ''p''') $$, '%cannot PREPARE a transaction that has executed%NOTIFY%',
                   'a transaction that has rung cannot be prepared');
select t.run('app', 'rollback');
select t.wake('relay', 1);

-- The hand-over: no row can fall between a silent writer and a relay that goes to sleep.
select t.run('app', 'begin');
select t.run('app', :'insert');
select is(t.sleep('relay', 0), 'false', 'while a silent writer is in flight, no relay can go to sleep');
select is(t.sleep('relay', 3), 'false', 'on any key');
select t.run('app', 'commit');
select is(t.sleep('relay', 0), 'true', 'after its commit it can');
select is(t.bells('relay'), '', 'and was not rung');
select t.run('app', 'begin');
select t.run('app', 'savepoint a');
select t.wake('relay', 0);
select t.run('app', :'insert');
select t.run('app', 'release a');
select is(t.sleep('relay', 0), 'false', 'a savepoint that is released keeps the writer silent and in the way');
select t.run('app', 'savepoint b');
select t.run('app', :'insert');
select t.run('app', 'rollback to b');
select is(t.sleep('relay', 0), 'false', 'a later one that is rolled back does not free its locks');
select t.run('app', 'rollback');
select is(t.sleep('relay', 0), 'true', 'the end of the transaction does');
select t.wake('relay', 0);
select t.run('app', 'begin');
select t.get('app', 'select pg_current_xact_id()::text');
select is(t.sleep('relay', 2), 'true', 'a transaction that has not written here does not keep a relay awake');
select t.run('app', :'insert');
select t.run('app', 'commit');
select is(t.bells('relay'), 'insert', 'and rings when it does write');

select dblink_disconnect('relay');
select ok(t.eventually($$ select count(*) = 0 from pg_locks
                         where locktype = 'advisory' and classid = 1212502606 and mode = 'ExclusiveLock' $$),
          'the key of a relay that has died is free');
select t.run('app', :'insert');
select t.bells('relay2');
select t.run('app', :'insert');
select is(t.bells('relay2'), '', 'and nobody rings for it');

select * from finish();
