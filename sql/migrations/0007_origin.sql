-- pgherald 0007: rows that were restored from another cluster. Their transaction ids mean nothing here: until they are
-- re-stamped, relays refuse to serve.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (7, '0007_origin');

-- A dump brings the value of the cluster it was made in along, and is known by it.
alter table herald.state add column system_identifier bigint;
comment on column herald.state.system_identifier is
  'pg_control_system() of the cluster whose transaction ids the rows have; see herald.restamp';

-- A visible row of this cluster is always below the xmax of the snapshot that sees it: no live change is ever touched.
create function herald.restamp() returns bigint
  language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  v_restamped bigint := 0;
begin
  -- Looked for without a lock, since there is mostly nothing.
  if exists (select from herald.notifications n
             where n.xid >= pg_snapshot_xmax(pg_current_snapshot())
                or n.created_xid >= pg_snapshot_xmax(pg_current_snapshot())) then
    alter table herald.notifications disable trigger zz_stamp;
    update herald.notifications n
    set xid = case when n.xid >= pg_snapshot_xmax(pg_current_snapshot()) then '3' else n.xid end,
        created_xid = case when n.created_xid >= pg_snapshot_xmax(pg_current_snapshot()) then '3' else n.created_xid end
    where n.xid >= pg_snapshot_xmax(pg_current_snapshot())
       or n.created_xid >= pg_snapshot_xmax(pg_current_snapshot());
    get diagnostics v_restamped = row_count;
    alter table herald.notifications enable always trigger zz_stamp;
  end if;
  delete from herald.tombstones t where t.xid >= pg_snapshot_xmax(pg_current_snapshot());
  delete from herald.messages m where m.xid >= pg_snapshot_xmax(pg_current_snapshot());
  update herald.state s
  set system_identifier = (select c.system_identifier from pg_control_system() c),
      tombstones_pruned_xid = least(s.tombstones_pruned_xid, pg_snapshot_xmax(pg_current_snapshot())),
      messages_settled_xid = '0', messages_settled_at = '-infinity';
  return v_restamped;
end
$$;
comment on function herald.restamp() is
  'for the owner, after a restore or pg_upgrade; `pgherald migrate` calls it. Makes old what has transaction ids of the '
  'future (of another cluster, that is), forgets such tombstones and messages, and lets relays serve again. Returns how '
  'many notifications were changed; harmless when there is nothing to do. While it changes some, writers of '
  'herald.notifications wait, readers do not';

-- The database and the table are part of the history: a dump may be restored into the cluster it came from, and brings
-- the uuid of herald.epoch along.
create or replace function herald.relay_epoch() returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_system bigint := (select s.system_identifier from pg_control_system() s);
begin
  if pg_is_in_recovery() then
    raise object_not_in_prerequisite_state using
      message = 'this server is a standby; pgherald needs the primary',
      hint = 'Set HERALD_DATABASE_URL to the primary, or add target_session_attrs=read-write to it.';
  end if;
  if (select s.system_identifier from herald.state s) is distinct from v_system then
    raise object_not_in_prerequisite_state using
      message = 'run `pgherald migrate`: the rows come from another cluster (a restore, or pg_upgrade)';
  end if;
  insert into herald.epoch default values on conflict do nothing;
  return v_system::text
         || ':' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
         || ':' || (select d.oid::text from pg_database d where d.datname = current_database())
         || '.' || 'herald.notifications'::regclass::oid::text
         || ':' || (select e.id::text from herald.epoch e);
end
$$;
comment on function herald.relay_epoch() is
  'the history to which snapshots belong, as system_identifier:timeline:database.table:uuid. Another uuid: the server '
  'has crashed, snapshots whose WAL had been flushed are still good. Anything else: none is. Fails on a standby, and '
  'while rows of another cluster are not re-stamped';

revoke execute on function herald.restamp() from public;

-- This database may have been restored before anybody kept a record of it.
do $$ begin perform herald.restamp(); end $$;

reset search_path;
