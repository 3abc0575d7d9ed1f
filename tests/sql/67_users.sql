-- Users that change: what the feed tells the relays, and what it costs the writer.
select no_plan();
select t.connect('a');
\set now 'select pg_current_snapshot() as since \\gset'
select t.run('a', $$ insert into herald.users values ('1', 'alice'), ('2', 'bob'), ('3', 'carol') $$);

create function t.told(since text) returns setof text language sql as $$
  select f.kind || ' ' || f.user_id from herald.feed(since::pg_snapshot) f where f.kind <> 'h'
$$;
:now
select t.run('a', $$ update herald.users set disabled_at = now() $$);
select results_eq(format('select t.told(%L)', :'since'), array['x (nobody)'], 'an update of many users is one row, for nobody');
:now
select t.run('a', $$ delete from herald.users where id = '3' $$);
select results_eq(format('select t.told(%L)', :'since'), array['x (nobody)'], 'a delete is told');
:now
select t.run('a', $$ insert into herald.users values ('1', 'alice') on conflict (id) do update set disabled_at = null $$);
select results_eq(format('select t.told(%L)', :'since'), array['x (nobody)'], 'and so is the update of an upsert');
:now
select t.run('a', $$ insert into herald.users values ('4', 'dora') $$);
select t.run('a', $$ update herald.users set disabled_at = now() where id = 'none' $$);
select is_empty(format('select t.told(%L)', :'since'), 'a new user, or an update of none, is not');
select t.run('a', 'begin');
select t.run('a', $$ update herald.users set disabled_at = now() $$);
select t.run('a', 'rollback');
select is_empty(format('select t.told(%L)', :'since'), 'nor what is rolled back');
select t.run('a', 'set session_replication_role = replica');
select t.run('a', $$ update herald.users set disabled_at = now() where id = '2' $$);
select t.run('a', 'set session_replication_role = origin');
select results_eq(format('select t.told(%L)', :'since'), array['x (nobody)'], 'session_replication_role does not silence it');
:now
select t.run('a', 'truncate herald.users');
select results_eq(format('select t.told(%L)', :'since'), array['x (nobody)'], 'a truncate is told');

-- A writer without any right on the schema, and an application's own table.
create role clerk login;
create table public.accounts (id text primary key, locked boolean);
insert into public.accounts values ('1', false);
create trigger forget after update or delete or truncate on public.accounts
  for each statement execute function herald.forget_users();
grant select, update on public.accounts to clerk;
:now
select t.run('a', 'set role clerk');
select t.run('a', $$ update public.accounts set locked = true $$);
select t.run('a', 'reset role');
select results_eq(format('select t.told(%L)', :'since'), array['x (nobody)'], 'an application''s table can tell it, too');

drop table public.accounts;
drop role clerk;
truncate herald.messages;
select t.run('a', 'reset all');
select dblink_disconnect('a');
select finish();
