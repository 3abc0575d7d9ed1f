-- pgherald 0001: the two roles, the schema, its tables and indexes.
-- Run by `pgherald migrate`; by hand: psql -1 -v ON_ERROR_STOP=1 -f FILE (psql 14 or newer), as the database's owner
-- with CREATEROLE. Files are forward only; each records its number first, so that two migrators notice each other.

set search_path = pg_catalog, pg_temp;

-- Roles belong to the whole cluster: another database, or an administrator, may have made them already.
do $$
declare
  wanted name;
begin
  foreach wanted in array array['herald_relay', 'herald_app']::name[] loop
    if not exists (select from pg_roles where rolname = wanted) then
      begin
        execute format('create role %I nologin', wanted);
      exception
        when duplicate_object or unique_violation then
          null; -- another migrator was faster
        when insufficient_privilege then
          raise insufficient_privilege using
            message = format('role %I does not exist and %I may not create it', wanted, current_user),
            hint = 'Ask an administrator to run: create role herald_relay nologin; create role herald_app nologin; '
                   'and then apply this migration again.';
      end;
    end if;
  end loop;
end
$$;

create schema herald;
comment on schema herald is 'pgherald: notifications and what carries them to the browsers of their users';

create table herald.migrations (
  id int primary key check (id > 0),
  name text not null,
  checksum text,
  applied_at timestamptz not null default now(),
  previous int generated always as (nullif(id - 1, 0)) stored references herald.migrations (id)
);
comment on table herald.migrations is 'the files of sql/migrations that this database has, one row each';
comment on column herald.migrations.checksum is
  'lower-case hex sha256 of the file; null when it was applied by hand, until `pgherald migrate` adopts it';
comment on column herald.migrations.previous is 'refuses a file whose predecessor is missing';

insert into herald.migrations (id, name) values (1, '0001_tables');

create table herald.users (
  id text primary key,
  username text not null unique,
  disabled_at timestamptz,
  constraint users_id_is_1_to_128_characters check (char_length(id) between 1 and 128),
  constraint users_username_is_1_to_128_characters check (char_length(username) between 1 and 128)
);
comment on table herald.users is
  'the users whose tokens are accepted; read only by herald.resolve_user, which an application with its own table replaces';
comment on column herald.users.id is 'notifications.user_id and the sub claim of a token';
comment on column herald.users.disabled_at is 'when set, at whatever time, the user cannot connect';

create table herald.notifications (
  id uuid primary key default gen_random_uuid(),
  user_id text not null,
  title text not null,
  message text not null default '',
  category text,
  severity text not null default 'info',
  action_url text,
  data jsonb,
  created_at timestamptz not null default clock_timestamp(),
  read_at timestamptz,
  expires_at timestamptz,
  dedupe_key text,
  xid xid8 not null,
  created_xid xid8 not null,
  version int not null,
  constraint notifications_user_id_is_1_to_128_characters check (char_length(user_id) between 1 and 128),
  constraint notifications_severity_is_info_success_warning_or_error
    check (severity in ('info', 'success', 'warning', 'error')),
  constraint notifications_dedupe_key_is_1_to_255_characters check (char_length(dedupe_key) between 1 and 255),
  constraint notifications_created_at_is_in_year_1_to_9999
    check (created_at between '0001-01-01 00:00:00+00' and '9999-12-31 23:59:59.999999+00'),
  constraint notifications_read_at_is_in_year_1_to_9999
    check (read_at between '0001-01-01 00:00:00+00' and '9999-12-31 23:59:59.999999+00'),
  constraint notifications_text_is_at_most_4_mib
    check (octet_length(title) + octet_length(message) + coalesce(octet_length(category), 0)
           + coalesce(octet_length(action_url), 0) + coalesce(octet_length(data::text), 0) <= 4194304)
);
comment on table herald.notifications is
  'one row a notification; applications insert, update and delete it with plain SQL and every tab of its user follows';
comment on column herald.notifications.action_url is 'where a click leads';
comment on column herald.notifications.data is 'any JSON for the application''s own pages';
comment on column herald.notifications.read_at is 'null: unread';
comment on column herald.notifications.expires_at is 'from then on it counts as deleted; herald.relay_tidy removes it';
comment on column herald.notifications.dedupe_key is
  'at most one notification of a user has it: herald.notify_user then returns the one there is';
comment on column herald.notifications.xid is
  'top-level transaction that wrote this version; set by trigger, whatever is supplied';
comment on column herald.notifications.created_xid is
  'top-level transaction that gave the row its user and id; set by trigger. It tells a new row from a changed one';
comment on column herald.notifications.version is '1, and one more with every update; set by trigger';
comment on constraint notifications_created_at_is_in_year_1_to_9999 on herald.notifications is
  'what RFC 3339 can write; it keeps infinity out as well';
comment on constraint notifications_text_is_at_most_4_mib on herald.notifications is
  'a row that cannot become one JSON text would stop the feed of everybody; data counts as text because a jsonb '
  'number of 12 bytes may be written with 131072 digits';

create index notifications_xid on herald.notifications (xid);
comment on index herald.notifications_xid is 'herald.feed: rows of transactions that finished between two snapshots';

create index notifications_inbox on herald.notifications (user_id, created_at desc, id desc);
comment on index herald.notifications_inbox is 'herald.relay_page: a user''s notifications, newest first, page by page';

create index notifications_unread on herald.notifications (user_id, created_at desc, id desc) include (expires_at)
  where read_at is null;
comment on index herald.notifications_unread is
  'herald.relay_unread_counts, herald.relay_page (unread only), herald.relay_mark_all_read, herald.unread; '
  'expires_at is included so that counting need not visit the table';

create index notifications_expires on herald.notifications (expires_at) where expires_at is not null;
comment on index herald.notifications_expires is 'herald.relay_tidy: what has expired, oldest first';

create unique index notifications_dedupe on herald.notifications (user_id, dedupe_key) where dedupe_key is not null;
comment on index herald.notifications_dedupe is 'herald.notify_user: on conflict (user_id, dedupe_key)';

create table herald.tombstones (
  user_id text,
  notification_id uuid,
  xid xid8 not null default pg_current_xact_id(),
  deleted_at timestamptz not null default now(),
  constraint tombstones_name_one_or_all check ((user_id is null) = (notification_id is null))
);
comment on table herald.tombstones is
  'a notification that its user has no more: deleted, or given to another user. Both columns null: TRUNCATE, all of '
  'them. Written by triggers, pruned by herald.relay_tidy after 30 days';
comment on column herald.tombstones.xid is 'top-level transaction that deleted it';

create index tombstones_xid on herald.tombstones (xid);
comment on index herald.tombstones_xid is 'herald.feed; herald.relay_tidy: the oldest';

create index tombstones_user on herald.tombstones (user_id, xid);
comment on index herald.tombstones_user is 'a client that comes back: what its user lost since its cursor';

-- Not logged: nobody replays a broadcast after a crash, and relays notice by the epoch, which is lost with it.
create unlogged table herald.messages (
  id bigint generated always as identity primary key,
  user_id text,
  kind text not null,
  body text,
  xid xid8 not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint messages_user_id_is_1_to_128_characters check (char_length(user_id) between 1 and 128),
  constraint messages_kind_is_message_or_disconnect check (kind in ('message', 'disconnect')),
  constraint messages_have_a_body check ((kind = 'message') = (body is not null))
);
comment on table herald.messages is
  'what is sent but not kept: broadcasts and orders to disconnect; herald.relay_tidy removes them after minutes';
comment on column herald.messages.user_id is 'null: everybody who is connected';
comment on column herald.messages.body is 'JSON text as the application wrote it; null for disconnect';
comment on column herald.messages.xid is 'top-level transaction that sent it; set by trigger';

create index messages_xid on herald.messages (xid, id);
comment on index herald.messages_xid is 'herald.feed, in the order in which a transaction sent them';

create table herald.state (
  only_row boolean primary key default true check (only_row),
  tombstones_pruned_xid xid8 not null default '0',
  messages_settled_xid xid8 not null default '0',
  messages_settled_at timestamptz not null default '-infinity'
);
comment on table herald.state is 'one row: what herald.relay_tidy has to remember';
comment on column herald.state.tombstones_pruned_xid is
  'tombstones below it are incomplete: a client whose cursor is below it must read everything again';
comment on column herald.state.messages_settled_xid is
  'every transaction below it had ended at messages_settled_at';
insert into herald.state default values;

-- Not logged on purpose: crash recovery and promotion, which may take transaction ids back, empty it.
create unlogged table herald.epoch (
  only_row boolean primary key default true check (only_row),
  id uuid not null default gen_random_uuid()
);
comment on table herald.epoch is
  'one row, or none after a crash: names the history to which snapshots and cursors belong; see herald.relay_epoch';

grant usage on schema herald to herald_relay, herald_app;
grant select on herald.notifications, herald.tombstones, herald.messages to herald_relay;
-- select (id) is for INSERT … RETURNING id.
grant insert, select (id) on herald.notifications to herald_app;

reset search_path;
