-- A peer of the benchmark: what an application without pgherald has. Run with psql, -v schema=NAME -v users=COUNT
-- -v payload=EXPRESSION: what its server gets by NOTIFY for each `new` row.
create schema :schema;
set search_path = :schema;

create table users (id text primary key, username text not null unique);
insert into users select 'bench' || n, 'bench' || n from generate_series(0, :users - 1) n;

create table notifications (
  id uuid primary key default gen_random_uuid(),
  user_id text not null,
  title text not null,
  message text not null default '',
  category text,
  severity text not null default 'info',
  action_url text,
  data jsonb,
  created_at timestamptz not null default clock_timestamp(),
  read_at timestamptz
);
create index notifications_inbox on notifications (user_id, created_at desc, id desc);
create index notifications_unread on notifications (user_id, created_at desc, id desc) where read_at is null;

select format(
  'create function tell() returns trigger language plpgsql as %L',
  format('begin perform pg_notify(tg_table_schema, %s); return null; end', :'payload')) \gexec
create trigger tell after insert on notifications for each row execute function tell();
