-- pgherald 0002: how a change is recorded (stamps, tombstones), announced (doorbell) and read (feed).
-- The triggers run inside the application's transactions: no locks that wait, no reads, nothing that can fail.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (2, '0002_feed');

-- Row triggers run with the writer's search_path and rights. A SET clause would cost more than all the rest, so
-- every function and operator is written with its schema instead.
create function herald.stamp_notification() returns trigger
  language plpgsql
as $$
begin
  new.xid := pg_catalog.pg_current_xact_id();
  if tg_op operator(pg_catalog.=) 'INSERT' then
    new.version := 1;
    new.created_xid := new.xid;
  else
    new.version := old.version operator(pg_catalog.+) 1;
    if new.id operator(pg_catalog.<>) old.id or new.user_id operator(pg_catalog.<>) old.user_id then
      new.created_xid := new.xid;
    else
      new.created_xid := old.created_xid;
    end if;
  end if;
  return new;
end
$$;
comment on function herald.stamp_notification() is
  'trigger: sets xid, created_xid and version of a notification, whatever was supplied. A row that changes its user '
  'or id is new to its new owner';

create function herald.stamp_message() returns trigger
  language plpgsql
as $$
begin
  new.xid := pg_catalog.pg_current_xact_id();
  return new;
end
$$;
comment on function herald.stamp_message() is 'trigger: sets xid of a message, whatever was supplied';

-- The writer has no rights on herald.tombstones, so these three have their owner's. An apply worker of logical
-- replication fires row triggers only: what it deletes is buried row by row.
create function herald.bury_deleted() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into herald.tombstones (user_id, notification_id) select g.user_id, g.id from gone g;
  return null;
end
$$;
comment on function herald.bury_deleted() is 'statement trigger: a tombstone for every notification deleted';

create function herald.bury_moved() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into herald.tombstones (user_id, notification_id) values (old.user_id, old.id);
  return null;
end
$$;
comment on function herald.bury_moved() is
  'row trigger: a tombstone for a notification that changed its user or its id, or that replication has deleted';

create function herald.bury_all() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into herald.tombstones (user_id, notification_id) values (null, null);
  return null;
end
$$;
comment on function herald.bury_all() is 'statement trigger: one tombstone that stands for TRUNCATE';

-- The doorbell.
--
-- Every transaction with a NOTIFY holds one lock of the whole cluster until its commit is flushed, so writers ring
-- only when a relay sleeps. A relay owns one of four advisory keys (class 1212502606, objects 0 to 3) and holds it
-- exclusively, for its session, while it sleeps on LISTEN. The writer tries the shared lock of each, without waiting:
--   one refused: a relay sleeps; NOTIFY wakes it after the commit.
--   all granted: nobody sleeps, the writer stays silent.
-- Nothing is lost: a silent writer keeps its shared locks until its transaction has left the list of running ones.
-- A relay goes to sleep only once it has its key exclusively; then every silent writer has ended and is visible to the
-- one feed query that the relay still runs before it sleeps, and every later writer is refused and rings. A savepoint
-- that is rolled back takes its locks and notifications with it, but its rows as well.
-- A key held by a dead relay is freed with its connection. With no relay at all nobody ever touches the NOTIFY lock.
-- PREPARE TRANSACTION cannot follow a NOTIFY and would keep the keys: such sessions set herald.quiet = on and are
-- found by the relay's own query every second.
create function herald.doorbell() returns trigger
  language plpgsql
as $$
begin
  -- No transaction id: the statement has written no row, nor has anything before it.
  if pg_catalog.current_setting('herald.quiet', true) operator(pg_catalog.=) 'on'
     or pg_catalog.pg_current_xact_id_if_assigned() is null then
    return null;
  end if;
  if pg_catalog.pg_try_advisory_xact_lock_shared(1212502606, 0)
     and pg_catalog.pg_try_advisory_xact_lock_shared(1212502606, 1)
     and pg_catalog.pg_try_advisory_xact_lock_shared(1212502606, 2)
     and pg_catalog.pg_try_advisory_xact_lock_shared(1212502606, 3) then
    return null;
  end if;
  perform pg_catalog.pg_notify('herald', pg_catalog.lower(tg_op));
  return null;
end
$$;
comment on function herald.doorbell() is
  'statement trigger: wakes the relays that sleep, after the commit, by NOTIFY herald with the lower-case operation; '
  'silent when none sleeps or herald.quiet is on. The payload carries nothing: relays read herald.feed';

-- BEFORE triggers fire in the order of their names: zz_ makes the stamps the last word.
create trigger zz_stamp before insert or update on herald.notifications
  for each row execute function herald.stamp_notification();
create trigger bury_deleted after delete on herald.notifications
  referencing old table as gone for each statement execute function herald.bury_deleted();
create trigger bury_moved after update on herald.notifications
  for each row when (old.user_id <> new.user_id or old.id <> new.id) execute function herald.bury_moved();
create trigger bury_replicated after delete on herald.notifications
  for each row when (current_setting('session_replication_role') = 'replica') execute function herald.bury_moved();
create trigger bury_all after truncate on herald.notifications
  for each statement execute function herald.bury_all();
create trigger doorbell after insert or update or delete or truncate on herald.notifications
  for each statement execute function herald.doorbell();
create trigger zz_stamp before insert or update on herald.messages
  for each row execute function herald.stamp_message();
create trigger doorbell after insert on herald.messages
  for each statement execute function herald.doorbell();

-- ALWAYS: also under session_replication_role = replica, as in the apply workers of logical replication.
alter table herald.notifications
  enable always trigger zz_stamp,
  enable always trigger bury_deleted,
  enable always trigger bury_moved,
  enable always trigger bury_replicated,
  enable always trigger bury_all,
  enable always trigger doorbell;
alter table herald.messages
  enable always trigger zz_stamp,
  enable always trigger doorbell;

-- Written as one expression, so that it is inlined into the feed and the page query and costs no function call. The
-- SQL-standard body is bound to its functions now: the caller's search_path does not matter.
create function herald.notification_json(n herald.notifications) returns text
  language sql stable parallel safe
  return '{"id":"' || (n).id::text
    || '","title":' || to_json((n).title)::text
    || ',"message":' || to_json((n).message)::text
    || ',"category":' || coalesce(to_json((n).category)::text, 'null')
    || ',"severity":"' || (n).severity
    || '","action_url":' || coalesce(to_json((n).action_url)::text, 'null')
    || ',"data":' || coalesce((n).data::text, 'null')
    || ',"created_at":"' || to_char((n).created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    || coalesce('","read_at":"' || to_char((n).read_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                || '","is_read":true', '","read_at":null,"is_read":false')
    || ',"version":' || (n).version::text || '}';
comment on function herald.notification_json(herald.notifications) is
  'a notification as it is sent: one JSON object with id (lower-case uuid), title, message, category, severity, '
  'action_url, data, created_at and read_at (RFC 3339, UTC, microseconds), is_read, version';

-- The snapshot diff: the rows of transactions that finished between `since` and now. Two branches for each table,
-- each an index scan on xid: transactions that began after `since`, and those that were in progress in it. An OR of
-- the two, or statistics that are out of date, would read the whole table.
-- Neither security definer nor SET nor strict: so it is inlined into the caller's statement and streamed.
-- Tombstones come before rows: a row that exists has been inserted after its tombstone, if it has one.
create function herald.feed(since pg_snapshot)
  returns table (kind text, user_id text, id text, version int, body text,
                 snapshot text, xmin text, insert_lsn text, flush_lsn text)
  language sql stable
begin atomic
  select 'h', null::text, null::text, null::int, null::text,
         pg_current_snapshot()::text, pg_snapshot_xmin(pg_current_snapshot())::text,
         (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text, (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text
  union all
  select case when t.user_id is null then 't' else 'd' end, t.user_id, t.notification_id::text, null, null,
         null, null, null, null
  from herald.tombstones t
  where t.xid >= pg_snapshot_xmax(since) and t.xid < pg_snapshot_xmax(pg_current_snapshot())
  union all
  select case when t.user_id is null then 't' else 'd' end, t.user_id, t.notification_id::text, null, null,
         null, null, null, null
  from herald.tombstones t
  where t.xid = any (array(select pg_snapshot_xip(since)))
  union all
  select case when n.expires_at <= now() then 'd'
              when pg_visible_in_snapshot(n.created_xid, since) then 'u' else 'n' end,
         n.user_id, n.id::text, n.version,
         case when n.expires_at <= now() then null else herald.notification_json(n) end,
         null, null, null, null
  from herald.notifications n
  where n.xid >= pg_snapshot_xmax(since) and n.xid < pg_snapshot_xmax(pg_current_snapshot())
  union all
  select case when n.expires_at <= now() then 'd'
              when pg_visible_in_snapshot(n.created_xid, since) then 'u' else 'n' end,
         n.user_id, n.id::text, n.version,
         case when n.expires_at <= now() then null else herald.notification_json(n) end,
         null, null, null, null
  from herald.notifications n
  where n.xid = any (array(select pg_snapshot_xip(since)))
  union all
  (select case m.kind when 'message' then 'm' else 'x' end, m.user_id, m.id::text, null, m.body,
          null, null, null, null
   from herald.messages m
   where m.xid >= pg_snapshot_xmax(since) and m.xid < pg_snapshot_xmax(pg_current_snapshot())
   order by m.xid, m.id)
  union all
  (select case m.kind when 'message' then 'm' else 'x' end, m.user_id, m.id::text, null, m.body,
          null, null, null, null
   from herald.messages m
   where m.xid = any (array(select pg_snapshot_xip(since)))
   order by m.xid, m.id);
end;
comment on function herald.feed(pg_snapshot) is
  'what has become visible since a snapshot (herald_relay; primary only). First a row of kind h: the snapshot to pass '
  'next time, its xmin, and the ends of the inserted and of the flushed WAL in bytes. Then by kind: d a notification '
  'deleted or expired; t all of them truncated; n a new and u a changed one, body its JSON; m a message, body its '
  'JSON, user_id null for everybody; x disconnect the user. A row comes in its newest state only, as n if its creation was '
  'not visible in the snapshot. Run it alone in its transaction, prepared, with '
  'enable_seqscan and enable_bitmapscan off (so that rows stream in the order of xid) and plan_cache_mode '
  'force_generic_plan';

revoke execute on all functions in schema herald from public;
grant execute on function herald.feed(pg_snapshot), herald.notification_json(herald.notifications) to herald_relay;

reset search_path;
