-- What an administrator does once after `pgherald migrate`: logins for the relay and for the application, each with
-- the privileges of its role and no others, and here the demo page's users too. May run any number of times.
set client_min_messages = warning;
do $$
begin
  if not exists (select from pg_roles where rolname = 'relay') then
    create role relay login password 'relay';
  end if;
  if not exists (select from pg_roles where rolname = 'app') then
    create role app login password 'app';
  end if;
end
$$;
grant herald_relay to relay;
grant herald_app to relay; -- for the demo page's button that makes samples; a real relay has no need of it
grant herald_app to app;
insert into herald.users (id, username)
values ('alice', 'alice'), ('bob', 'bob'), ('ashumba', 'ashumba')
on conflict do nothing;
