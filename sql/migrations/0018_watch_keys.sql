-- pgherald 0018: a watch with a dedupe_key waits for nobody in a lock, so that no statement ends in a deadlock because of
-- it. Watches that are there already get that when herald.watch is called for them again.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (18, '0018_watch_keys');

-- An INSERT waits for the transaction that has written its key, until that commits or rolls back. If that one is
-- waiting for a row of this one, PostgreSQL ends the one that began to wait first: the other one's statement, as a rule.
-- So each watch takes its keys here, and while another one has them this transaction sleeps, which no deadlock can come
-- of. Only the first hundred keys of a statement: the server has room for some thousands of locks.
create function herald.watch_keys(keys text[]) returns void
  language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  v_key int;
  v_sleep float8 := 0.002; -- twice that with each look: 1 s in all
begin
  for v_key in select distinct hashtext(k) from unnest(keys[:100]) k where k is not null order by 1 loop
    while not pg_try_advisory_xact_lock(1212502611, v_key) loop
      if v_sleep > 0.6 then
        raise lock_not_available using
          message = 'another transaction has written the same dedupe_key, and has not ended within a second';
      end if;
      perform pg_sleep(v_sleep);
      v_sleep := v_sleep * 2;
    end loop;
  end loop;
end
$$;
comment on function herald.watch_keys(text[]) is
  'internal, for what herald.watch creates: takes keys of this transaction''s notifications, each a user and a '
  'dedupe_key, and keeps them until it ends; an error when another one''s watch has one of them for over a second';
revoke execute on function herald.watch_keys(text[]) from public;
grant execute on function herald.watch_keys(text[]) to herald_app;

create or replace function herald.watch_code(relation regclass, config jsonb) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_insert text;
  v_where text;
  v_rows text;
  v_pairing text := '';
  v_key text := config ->> 'dedupe_key';
  -- Only a key can be there already, and looking for it costs a little.
  v_conflict text := case when v_key is not null then E'\n      on conflict do nothing' else '' end;
  -- The keys are taken before the INSERT would wait for them.
  v_take text := case when v_key is not null then
    E'    perform herald.watch_keys(array(\n      select %s\n      from %s\n      where %s));\n' else '' end;
  v_branches text := '';
  -- An INSERT of no rows would ring the doorbell all the same, so they are looked for first.
  v_branch text := $code$
  if tg_op = %L then%s
    perform 1 from %s
      where %s limit 1;
    if not found then
      return null;
    end if;
%7$s    %5$s
      from %3$s
      where %4$s%6$s;
  end if;$code$;
begin
  select format(E'insert into herald.notifications (%s)\n      select\n        %s', v.columns, v.expressions) into v_insert
  from herald.watch_values(relation, config) v;
  -- Nobody's, or of a user that cannot be: herald.users has ids of 1 to 128 characters.
  v_where := format('char_length(new.%I::text) between 1 and 128', config ->> 'user_column')
             || coalesce(E'\n        and (' || (config ->> 'only_when') || E'\n)', ''); -- the line's end ends a comment

  if v_key is not null then
    v_key := format($code$new.%I::text || ' ' || (%s)$code$, config ->> 'user_column',
                    herald.watch_template(relation, v_key, 'dedupe_key', true));
  end if;

  if (config ->> 'on_insert')::boolean then
    v_rows := 'new_rows as new';
    if v_insert || v_where ~* '\mold\M' then
      v_rows := v_rows || ' left join (select r.* from new_rows as r limit 0) as old on true';
    end if;
    v_branches := format(v_branch, 'INSERT', '', v_rows, v_where, v_insert, v_conflict,
                         format(v_take, v_key, v_rows, v_where));
  end if;

  if jsonb_array_length(config -> 'on_update_of') > 0 then
    -- Both tables have the rows in the order in which the statement has written them.
    v_rows := E'(select row_number() over () as "herald.row", r.* from new_rows as r) as new\n'
              '      join (select row_number() over () as "herald.row", r.* from old_rows as r) as old using ("herald.row")';
    -- But for one that a trigger drops on its way to another partition: it is among the old ones only.
    if (select c.relkind from pg_class c where c.oid = relation) = 'p' then
      v_pairing := $code$
    if (select count(*) from old_rows) <> (select count(*) from new_rows) then
      raise 'a trigger has dropped a row on its way to another partition, and which row was which is not known';
    end if;$code$;
    end if;
    -- As stored: there are types without equality.
    select v_where || E'\n        and ' || format('row(%s)::record operator(pg_catalog.*<>) row(%s)::record',
                                                  string_agg(format('new.%I', c), ', ' order by k),
                                                  string_agg(format('old.%I', c), ', ' order by k)) into v_where
    from jsonb_array_elements_text(config -> 'on_update_of') with ordinality u (c, k);
    v_branches := v_branches || format(v_branch, 'UPDATE', v_pairing, v_rows, v_where, v_insert, v_conflict,
                                       format(v_take, v_key, v_rows, v_where));
  end if;

  return format($code$#variable_conflict use_column
-- Written by herald.watch, whose next call writes it anew. It runs as its owner, who called herald.watch.
declare
  v_warning text;
begin%1$s
  return null;
exception when others then
  v_warning := %2$L || sqlstate;
  begin
    v_warning := herald.watch_failed(tg_relid, %3$L, sqlstate, sqlerrm);
  exception when others then
    null; -- then the state is all there is to tell
  end;
  raise warning '%%', v_warning;
  return null;
end
$code$, v_branches, format('herald.watch %L made no notification: SQLSTATE ', config ->> 'name'), config ->> 'name');
end
$$;

create or replace function herald.watch_check(relation regclass, config jsonb) returns void
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_table record;
  v_column text;
begin
  if relation is null then
    raise null_value_not_allowed using message = 'table_name must not be null';
  end if;
  select c.relkind, c.relpersistence, c.relnamespace, n.nspname, c.oid < 16384 as of_the_system into v_table
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = relation;
  if v_table.relkind not in ('r', 'p') or v_table.relpersistence = 't' or v_table.nspname = 'herald'
     or v_table.of_the_system then
    raise wrong_object_type using
      message = format('%s cannot be watched', relation),
      hint = 'Tables can, also partitioned ones; views, foreign and temporary tables, and those of herald and of the '
             'system cannot.';
  end if;
  if not has_table_privilege(relation, 'trigger') then
    raise insufficient_privilege using
      message = format('role %I may not watch %s', current_user, relation),
      hint = format('Its owner may; or: grant trigger on %s to %I', relation, current_user);
  elsif not has_schema_privilege(v_table.relnamespace, 'create') then
    raise insufficient_privilege using
      message = format('role %I may not create the trigger function in schema %I', current_user, v_table.nspname),
      hint = format('grant create on schema %I to %I', v_table.nspname, current_user);
  elsif not has_table_privilege('herald.notifications', 'insert') then
    raise insufficient_privilege using
      message = format('role %I may not insert into herald.notifications', current_user),
      hint = format('grant herald_app to %I', current_user);
  end if;
  if coalesce(config ->> 'name', '') !~ '^[a-z][a-z0-9_]{0,29}$' then
    raise invalid_parameter_value using
      message = format('name must be a letter and up to 29 letters, digits and underscores, in lower case, not %L',
                       config ->> 'name');
  elsif config ->> 'title' is null then
    raise null_value_not_allowed using message = 'title must not be null';
  elsif coalesce(config ->> 'severity', '') !~ '[{}]|^(info|success|warning|error)$' then
    raise invalid_parameter_value using
      message = format('severity must be info, success, warning or error, or a template, not %L', config ->> 'severity');
  elsif (config ->> 'expires_after')::interval <= interval '0' then
    raise invalid_parameter_value using message = 'expires_after must be more than 0';
  elsif (config ->> 'expires_after')::interval > interval '1000 years' then
    raise invalid_parameter_value using
      message = format('expires_after must be 1000 years at most, not %s', config ->> 'expires_after'),
      hint = 'A notification without expires_after never expires.';
  elsif not (config ->> 'on_insert')::boolean and jsonb_array_length(config -> 'on_update_of') = 0 then
    raise invalid_parameter_value using
      message = 'there is nothing to watch: on_insert is false and on_update_of names no column';
  end if;
  for v_column in select jsonb_array_elements_text(config -> 'on_update_of') loop
    perform herald.watch_column(relation, v_column, 'on_update_of');
  end loop;
  perform herald.watch_column(relation, config ->> 'user_column', 'user_column');
  if exists (select from pg_attribute a join pg_type t on t.oid = a.atttypid
             where a.attrelid = relation and a.attname = config ->> 'user_column' and t.typcategory in ('A', 'C')) then
    raise datatype_mismatch using
      message = format('user_column: column %I of %s holds no single value', config ->> 'user_column', relation);
  end if;
end
$$;

reset search_path;
