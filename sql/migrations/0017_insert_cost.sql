-- pgherald 0017: the same constraints and the same doorbell, for less. PostgreSQL parses and plans a table's constraints
-- anew in every statement that writes a row, also in a prepared one, so an INSERT pays for each part that they have.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (17, '0017_insert_cost');

-- A range is one comparison where BETWEEN is two, of an operand that is there twice; concat leaves nulls out. The message
-- is counted apart because octet_length alone does not fetch one that is stored out of line, when another column changes.
-- Not valid: what is stored has passed the constraints of the same names, so writers need not wait for a look at all of it.
alter table herald.notifications
  drop constraint notifications_user_id_is_1_to_128_characters,
  drop constraint notifications_severity_is_info_success_warning_or_error,
  drop constraint notifications_dedupe_key_is_1_to_255_characters,
  drop constraint notifications_created_at_is_in_year_1_to_9999,
  drop constraint notifications_read_at_is_in_year_1_to_9999,
  drop constraint notifications_text_is_at_most_4_mib,
  add constraint notifications_user_id_is_1_to_128_characters
    check (char_length(user_id) <@ int4range '[1,128]') not valid,
  add constraint notifications_severity_is_info_success_warning_or_error
    check (severity = any ('{info,success,warning,error}'::text[])) not valid,
  add constraint notifications_dedupe_key_is_1_to_255_characters
    check (char_length(dedupe_key) <@ int4range '[1,255]') not valid,
  add constraint notifications_created_at_is_in_year_1_to_9999
    check (created_at <@ tstzrange '[0001-01-01 00:00:00+00,9999-12-31 23:59:59.999999+00]') not valid,
  add constraint notifications_read_at_is_in_year_1_to_9999
    check (read_at <@ tstzrange '[0001-01-01 00:00:00+00,9999-12-31 23:59:59.999999+00]') not valid,
  add constraint notifications_text_is_at_most_4_mib
    check (octet_length(message) + octet_length(concat(title, category, action_url, data)) <= 4194304) not valid;
comment on constraint notifications_created_at_is_in_year_1_to_9999 on herald.notifications is
  'what RFC 3339 can write; it keeps infinity out as well';
comment on constraint notifications_text_is_at_most_4_mib on herald.notifications is
  'a row that cannot become one JSON text would stop the feed of everybody; data counts as text because a jsonb '
  'number of 12 bytes may be written with 131072 digits';

-- A new database has nothing to look at.
do $$
begin
  if not exists (select from herald.notifications) then
    alter table herald.notifications
      validate constraint notifications_user_id_is_1_to_128_characters,
      validate constraint notifications_severity_is_info_success_warning_or_error,
      validate constraint notifications_dedupe_key_is_1_to_255_characters,
      validate constraint notifications_created_at_is_in_year_1_to_9999,
      validate constraint notifications_read_at_is_in_year_1_to_9999,
      validate constraint notifications_text_is_at_most_4_mib;
  end if;
end
$$;

-- As before; see 0002. PERFORM would be a statement of its own, with a snapshot and an executor; an expression is not.
create or replace function herald.doorbell() returns trigger
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
  if pg_catalog.pg_notify('herald', pg_catalog.lower(tg_op)) is null then
    null; -- it never is
  end if;
  return null;
end
$$;

reset search_path;
