-- pgherald 0011: an insert that supplies none of the stamped columns, as nearly all, is stamped by their defaults. A
-- trigger's function costs a row more than anything else here does; it is called only for what was supplied.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (11, '0011_stamp_by_default');

alter table herald.notifications
  alter xid set default pg_current_xact_id(),
  alter created_xid set default pg_current_xact_id(),
  alter version set default 1;
alter table herald.messages alter xid set default pg_current_xact_id();

drop trigger zz_stamp on herald.notifications;
create trigger zz_stamp before update on herald.notifications
  for each row execute function herald.stamp_notification();
create trigger zz_stamp_new before insert on herald.notifications
  for each row when (new.xid is distinct from pg_current_xact_id() or new.created_xid is distinct from new.xid
                     or new.version is distinct from 1)
  execute function herald.stamp_notification();
drop trigger zz_stamp on herald.messages;
create trigger zz_stamp before insert or update on herald.messages
  for each row when (new.xid is distinct from pg_current_xact_id()) execute function herald.stamp_message();

alter table herald.notifications
  enable always trigger zz_stamp,
  enable always trigger zz_stamp_new;
alter table herald.messages enable always trigger zz_stamp;

comment on column herald.notifications.xid is
  'top-level transaction that wrote this version; set by default or trigger, whatever is supplied';
comment on column herald.notifications.created_xid is
  'top-level transaction that gave the row its user and id; set by default or trigger. It tells a new row from a changed one';
comment on column herald.notifications.version is '1, and one more with every update; set by default or trigger';

reset search_path;
