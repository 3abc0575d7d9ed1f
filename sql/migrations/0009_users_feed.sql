-- pgherald 0009: relays remember for seconds whose claims they have looked up. A change of the users makes them forget.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (9, '0009_users_feed');

-- Every order to disconnect makes relays forget; this one is for nobody: '(nobody)' can be the sub of no token. It
-- needs no new kind of row, so relays of before go on reading the feed. The writer may lack rights on herald.messages.
create function herald.forget_users() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- No transaction id: the statement has changed no row, nor has anything before it.
  if pg_current_xact_id_if_assigned() is not null then
    insert into herald.messages (user_id, kind) values ('(nobody)', 'disconnect');
  end if;
  return null;
end
$$;
comment on function herald.forget_users() is
  'statement trigger: after the commit relays look up anew, at its next login, whose claims a token has. For '
  'herald.users, and for the table that an application''s own herald.resolve_user reads';

-- Only users that were found are remembered, so an INSERT makes nothing untrue.
create trigger forget_users after update or delete or truncate on herald.users
  for each statement execute function herald.forget_users();
alter table herald.users enable always trigger forget_users;

revoke execute on function herald.forget_users() from public;

reset search_path;
