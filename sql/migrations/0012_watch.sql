-- pgherald 0012: herald.watch turns rows of the application's own tables into notifications.
-- It writes, for its caller, a trigger function beside the table and the triggers that call it. All of that is created
-- by the caller and belongs to the caller: PostgreSQL itself checks who may do it, and templates and conditions run
-- with the rights of the role that wrote them, never with those of the schema's owner or of whoever writes a row.
-- Written code, not one function that reads templates: its plans are kept, and a notification costs little but its INSERT.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (12, '0012_watch');

-- By name and not by oid: the oids of a dump mean other tables.
create table herald.watch_errors (
  table_name text,
  watch_name text,
  message text not null,
  occurred_at timestamptz not null default clock_timestamp(),
  primary key (table_name, watch_name)
);
comment on table herald.watch_errors is
  'what went wrong last in each watch that had to drop notifications; herald.watch_failed writes it, herald.watches '
  'shows it';
comment on column herald.watch_errors.table_name is 'schema and name when it happened, quoted where SQL needs it';

-- Called where the application's statement must go on, so it waits for nobody: a row here has one writer until that
-- one's transaction ends, and meanwhile the errors of others are warned of and not kept. A watch that fails all the time
-- is written once a minute.
create function herald.watch_failed(relation oid, watch text, state text, message text) returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_table text := (select format('%I.%I', n.nspname, c.relname)
                   from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = relation);
begin
  if v_table is not null and pg_try_advisory_xact_lock(1212502609, hashtext(v_table || ' ' || watch)) then
    insert into herald.watch_errors as e (table_name, watch_name, message)
    values (v_table, left(watch, 63), left(format('%s (SQLSTATE %s)', message, state), 1000))
    on conflict (table_name, watch_name) do update set message = excluded.message, occurred_at = clock_timestamp()
      where e.message <> excluded.message or e.occurred_at < clock_timestamp() - interval '1 minute';
  end if;
  -- Warnings reach the server's log, and errors of classes 22 and 23 quote data. They reach the client, too: a
  -- character that its encoding lacks would make an error of the warning.
  return regexp_replace(format('herald.watch %L on %s made no notification: %s', watch, v_table,
                               case when state ~ '^2[23]' then format('SQLSTATE %s; herald.watches has the message', state)
                                    else message end), '[^ -~]', '?', 'g');
end
$$;
comment on function herald.watch_failed(oid, text, text, text) is
  'internal, for what herald.watch creates: keeps an error for herald.watches and returns what to warn with';

create function herald.watch_forget(relation oid, watch text) returns void
  language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  delete from herald.watch_errors e
  using pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = relation and e.table_name = format('%I.%I', n.nspname, c.relname) and e.watch_name = watch;
end;
comment on function herald.watch_forget(oid, text) is 'internal, for herald.watch and herald.unwatch: removes a kept error';

create function herald.watch_column(relation regclass, column_name text, what text) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_generated "char";
begin
  select a.attgenerated into v_generated from pg_attribute a
  where a.attrelid = relation and a.attname = column_name and a.attnum > 0 and not a.attisdropped;
  if not found then
    raise undefined_column using
      message = format('%s: %s has no column %s', what, relation, coalesce(quote_literal(column_name), 'null')),
      hint = (select 'Its columns are ' || string_agg(format('%s', a.attname), ', ' order by a.attnum) || '.'
              from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped);
  elsif v_generated = 'v' then
    raise feature_not_supported using
      message = format('%s: column %I of %s is generated when it is read, and triggers do not see it',
                       what, column_name, relation),
      hint = 'Make it a stored generated column.';
  end if;
  return quote_ident(column_name);
end
$$;
comment on function herald.watch_column(regclass, text, text) is
  'internal, for herald.watch: a column''s name as SQL needs it, or an error that begins with `what`';

create function herald.watch_template(relation regclass, template text, what text, nullable boolean) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_token text;
  v_name text[];
  v_value text;
  v_literal text := '';
  v_parts text[] := '{}';
begin
  for v_token in
    select t[1]
    from regexp_matches(template, '(\{\{|\}\}|\{(?:(?:old|new)\.)?(?:"(?:[^"]|"")+"|[^{}"]+)\}|[^{}]+|[{}])', 'g') t
  loop
    if v_token in ('{', '}') then
      raise invalid_parameter_value using
        message = format('%s: the %s in %L belongs to no {column}', what, v_token, template),
        hint = 'Write {{ and }} for braces. A name that has some, or quotes, is quoted as in SQL: {"odd }"}.';
    elsif v_token in ('{{', '}}') then
      v_literal := v_literal || left(v_token, 1);
    elsif v_token not like '{%' then
      v_literal := v_literal || v_token;
    else
      v_name := regexp_match(v_token, '^\{(?:(old|new)\.)?(?:"(.+)"|(.+))\}$');
      v_value := format('%s.%s::text', coalesce(v_name[1], 'new'),
                        herald.watch_column(relation, coalesce(replace(v_name[2], '""', '"'), v_name[3]), what));
      if v_literal <> '' then
        v_parts := v_parts || quote_literal(v_literal);
        v_literal := '';
      end if;
      v_parts := v_parts || format('coalesce(%s, '''')', v_value);
    end if;
  end loop;
  if v_literal <> '' or cardinality(v_parts) = 0 then
    v_parts := v_parts || quote_literal(v_literal);
  elsif nullable and cardinality(v_parts) = 1 then
    return v_value;
  end if;
  return array_to_string(v_parts, ' || ');
end
$$;
comment on function herald.watch_template(regclass, text, text, boolean) is
  'internal, for herald.watch: the SQL expression of a template; of type text, or an untyped literal. A null column is an '
  'empty text, or null when it is all of a template that may be null';

create function herald.watch_data(relation regclass, template jsonb) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := template #>> '{}';
begin
  if not exists (select from jsonb_path_query(template, 'strict $.**') v
                 where jsonb_typeof(v) = 'string' and v #>> '{}' ~ '[{}]') then
    return quote_literal(template::text) || '::jsonb';
  end if;
  -- 50 at a time: a call has 100 arguments at most.
  case jsonb_typeof(template)
    when 'object' then
      return (select string_agg(format('jsonb_build_object(%s)', p.members), ' || ')
              from (select string_agg(format('%L, %s', m.key, herald.watch_data(relation, m.value)), ', ') as members
                    from jsonb_each(template) with ordinality m (key, value, k) group by (m.k - 1) / 50) p);
    when 'array' then
      return (select string_agg(format('jsonb_build_array(%s)', p.elements), ' || ' order by p.k)
              from (select (e.k - 1) / 50 as k,
                           string_agg(herald.watch_data(relation, e.value), ', ' order by e.k) as elements
                    from jsonb_array_elements(template) with ordinality e (value, k) group by 1) p);
    else
      v_text := herald.watch_template(relation, v_text, 'data', true);
      -- A column alone keeps its type.
      return format('to_jsonb(%s)', case when v_text ~ '^(new|old)\.' then left(v_text, -length('::text'))
                                         else format('(%s)::text', v_text) end);
  end case;
end
$$;
comment on function herald.watch_data(regclass, jsonb) is
  'internal, for herald.watch: the SQL expression of a JSON value whose strings are templates';

-- The parts of the statements in a trigger function: `new` is a row as it is now, `old` as it was.
create function herald.watch_values(relation regclass, config jsonb, out columns text, out expressions text)
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_part record;
  v_value text;
begin
  columns := 'user_id, title, message';
  expressions := format(E'new.%s::text,\n        left(%s, 1000),\n        left(%s, 100000)',
                        herald.watch_column(relation, config ->> 'user_column', 'user_column'),
                        herald.watch_template(relation, config ->> 'title', 'title', false),
                        herald.watch_template(relation, config ->> 'message', 'message', false));
  -- Whatever a row holds is made to fit the constraints of herald.notifications: an error would cost other rows theirs.
  for v_part in
    select p.name, p.expression from (values
      ('category', 'left(%s, 1000)'),
      ('severity', 'case when %1$s in (''info'', ''success'', ''warning'', ''error'') then %1$s else ''info'' end'),
      ('action_url', 'left(%s, 10000)'),
      ('dedupe_key', 'case when char_length(%1$s) > 255 then md5(%1$s) else nullif(%1$s, '''') end')) p (name, expression)
    where config ->> p.name is not null
  loop
    v_value := herald.watch_template(relation, config ->> v_part.name, v_part.name, true);
    columns := columns || ', ' || v_part.name;
    expressions := expressions || E',\n        ' || format(v_part.expression, v_value);
  end loop;
  if config ->> 'data' is not null then
    columns := columns || ', data';
    expressions := expressions || E',\n        ' || herald.watch_data(relation, config -> 'data');
  end if;
  if config ->> 'expires_after' is not null then
    columns := columns || ', expires_at';
    expressions := expressions || format(E',\n        clock_timestamp() + interval %L', config ->> 'expires_after');
  end if;
end
$$;
comment on function herald.watch_values(regclass, jsonb) is
  'internal, for herald.watch: the columns of herald.notifications that a watch fills, and their SQL expressions';

create function herald.watch_code(relation regclass, config jsonb) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_insert text;
  v_where text;
  v_rows text;
  v_pairing text := '';
  -- Only a key can be there already, and looking for it costs a little.
  v_conflict text := case when config ->> 'dedupe_key' is not null then E'\n      on conflict do nothing' else '' end;
  v_branches text := '';
  -- An INSERT of no rows would ring the doorbell all the same, so they are looked for first.
  v_branch text := $code$
  if tg_op = %L then%s
    perform 1 from %s
      where %s limit 1;
    if not found then
      return null;
    end if;
    %s
      from %3$s
      where %4$s%6$s;
  end if;$code$;
begin
  select format(E'insert into herald.notifications (%s)\n      select\n        %s', v.columns, v.expressions) into v_insert
  from herald.watch_values(relation, config) v;
  -- Nobody's, or of a user that cannot be: herald.users has ids of 1 to 128 characters.
  v_where := format('char_length(new.%I::text) between 1 and 128', config ->> 'user_column')
             || coalesce(E'\n        and (' || (config ->> 'only_when') || E'\n)', ''); -- the line's end ends a comment

  if (config ->> 'on_insert')::boolean then
    v_rows := 'new_rows as new';
    if v_insert || v_where ~* '\mold\M' then
      v_rows := v_rows || ' left join (select r.* from new_rows as r limit 0) as old on true';
    end if;
    v_branches := format(v_branch, 'INSERT', '', v_rows, v_where, v_insert, v_conflict);
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
    v_branches := v_branches || format(v_branch, 'UPDATE', v_pairing, v_rows, v_where, v_insert, v_conflict);
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
comment on function herald.watch_code(regclass, jsonb) is 'internal, for herald.watch: the source of a trigger function';

create function herald.watch_config(arguments bytea) returns jsonb
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_config jsonb;
begin
  -- Without its closing zero.
  v_config := convert_from(substr(arguments, 1, length(arguments) - 1), getdatabaseencoding());
  return case when v_config ? 'herald.watch' then v_config - 'herald.watch' end;
exception when others then
  return null; -- somebody else's trigger
end
$$;
comment on function herald.watch_config(bytea) is
  'internal, for herald.watches: what a trigger of herald.watch was made of, from pg_trigger.tgargs; null for others';

create view herald.watches as
select w.table_name, w.config ->> 'name' as name, w.config ->> 'user_column' as user_column,
       w.config ->> 'title' as title, w.config ->> 'message' as message, w.config ->> 'category' as category,
       w.config ->> 'severity' as severity, w.config ->> 'action_url' as action_url,
       nullif(w.config -> 'data', 'null') as data, w.config ->> 'dedupe_key' as dedupe_key,
       (w.config ->> 'expires_after')::interval as expires_after,
       (w.config ->> 'on_insert')::boolean as on_insert,
       array(select jsonb_array_elements_text(w.config -> 'on_update_of')) as on_update_of,
       w.config ->> 'only_when' as only_when, w.enabled, w.code, w.runs_as,
       e.message as last_error, e.occurred_at as last_error_at
from (select t.tgrelid::regclass as table_name, c.config, t.tgfoid::regprocedure as code,
             bool_and(t.tgenabled <> 'D') as enabled, pg_get_userbyid(min(p.proowner)) as runs_as
      from pg_trigger t
      join pg_proc p on p.oid = t.tgfoid
      cross join lateral (select herald.watch_config(t.tgargs)) c (config)
      where p.proname like 'herald\_watch\_%' and not t.tgisinternal and c.config is not null
      group by t.tgrelid, t.tgfoid, c.config) w
left join (pg_class r join pg_namespace n on n.oid = r.relnamespace
           join herald.watch_errors e on e.table_name = format('%I.%I', n.nspname, r.relname))
  on r.oid = w.table_name and e.watch_name = w.config ->> 'name' and has_table_privilege(r.oid, 'trigger');
comment on view herald.watches is
  'what herald.watch has been called with, one row a watch. enabled: its triggers are; code: the trigger function; '
  'runs_as: its owner; last_error, last_error_at: why it last dropped notifications, kept once a minute, shown to roles '
  'with TRIGGER on the table, and gone when herald.watch is called again';

create function herald.watch_check(relation regclass, config jsonb) returns void
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
comment on function herald.watch_check(regclass, jsonb) is
  'internal, for herald.watch: an error that says what is wrong with its arguments, or with the caller''s rights';

-- Parsed and planned, but false is found first, and no row is read or made. Twice, so that the text must be one
-- expression.
create function herald.watch_check_condition(relation regclass, condition text) returns void
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('select case when %2$s' || E'\n then 1 end from jsonb_populate_record(null::%1$s, null) as new, '
                 'jsonb_populate_record(null::%1$s, null) as old where false and (%2$s' || E'\n)', relation, condition);
exception when others then
  raise invalid_parameter_value using
    message = format('only_when: %s', sqlerrm),
    hint = 'It is a condition of SQL about new.column and old.column. Names outside pg_catalog need their schema.';
end
$$;
comment on function herald.watch_check_condition(regclass, text) is
  'internal, for herald.watch: an error if only_when is no condition';

create function herald.watch_function(relation regclass, watch text) returns text
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  v_found record;
  v_schema oid;
  v_name text;
  v_free text;
begin
  for v_found in
    -- Arguments are the choice of whoever made the trigger, a name is that of the function's owner.
    select t.tgname, herald.watch_config(t.tgargs) is not null and p.proname like 'herald\_watch\_%' as ours,
           pg_has_role(p.proowner, 'usage') as allowed, pg_get_userbyid(p.proowner) as owner,
           format('%I.%I', n.nspname, p.proname) as function_name
    from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace
    where t.tgrelid = relation and t.tgname in ('herald_watch_' || watch || '_insert', 'herald_watch_' || watch || '_update')
  loop
    if not v_found.ours then
      raise duplicate_object using
        message = format('%s has a trigger %I that herald.watch has not made', relation, v_found.tgname);
    elsif not v_found.allowed then
      raise insufficient_privilege using
        message = format('watch %s of %s belongs to role %I', watch, relation, v_found.owner),
        hint = 'Give it another name, or have it ended with herald.unwatch first.';
    end if;
    return v_found.function_name;
  end loop;
  select c.relnamespace, 'herald_watch_' || c.relname || '_' || watch into v_schema, v_name
  from pg_class c where c.oid = relation;
  v_free := v_name;
  for attempt in 1 .. 1000 loop
    -- It may be too long, that of a table which was renamed since, or lack in a client's encoding: warnings tell it. What
    -- a dropped table has left behind is taken over.
    exit when v_free ~ '^[ -~]{1,63}$' and not exists (
      select from pg_proc p
      where p.pronamespace = v_schema and p.proname = v_free
        and not (pg_has_role(p.proowner, 'usage') and p.prorettype = 'trigger'::regtype
                 and not exists (select from pg_trigger t where t.tgfoid = p.oid)));
    v_free := 'herald_watch_' || left(md5(v_name || attempt), 16);
  end loop;
  return format('%s.%I', v_schema::regnamespace, v_free);
end
$$;
comment on function herald.watch_function(regclass, text) is
  'internal, for herald.watch: the trigger function that a watch has, or the name for one; an error if it is not the '
  'caller''s';

create function herald.watch(table_name regclass, user_column text, title text, message text default '',
                             category text default null, severity text default 'info', action_url text default null,
                             data jsonb default null, dedupe_key text default null, expires_after interval default null,
                             on_insert boolean default true, on_update_of text[] default '{}', only_when text default null,
                             name text default 'watch')
  returns void
  language plpgsql set search_path = pg_catalog, pg_temp set intervalstyle = 'postgres'
as $$
declare
  v_config jsonb := jsonb_build_object(
    'herald.watch', 1, 'name', name, 'user_column', user_column, 'title', title, 'message', coalesce(message, ''),
    'category', category, 'severity', severity, 'action_url', action_url, 'data', data, 'dedupe_key', dedupe_key,
    'expires_after', expires_after, 'on_insert', coalesce(on_insert, true), 'on_update_of', coalesce(on_update_of, '{}'),
    'only_when', only_when);
  v_function text;
  v_source text;
  v_trigger text;
  v_grantee oid;
begin
  perform herald.watch_check(table_name, v_config);
  if only_when is not null then
    perform herald.watch_check_condition(table_name, only_when);
  end if;
  v_source := herald.watch_code(table_name, v_config);
  -- One at a time: the second one finds what the first has made.
  perform pg_advisory_xact_lock(1212502610, hashtext(table_name::oid::text));
  v_function := herald.watch_function(table_name, name);

  execute format('create or replace function %s() returns trigger language plpgsql security definer '
                 'set search_path = pg_catalog, pg_temp set lock_timeout = ''1s''%s as %L',
                 v_function,
                 -- Pairing rows by comparing all with all would take for ever; a plan is kept, whatever comes later.
                 case when cardinality(on_update_of) > 0 then ' set enable_nestloop = off' else '' end, v_source);
  execute format('comment on function %s() is %L', v_function,
                 format('herald.watch: trigger function of watch %s of %s; herald.unwatch removes it', name, table_name));
  -- Who may execute it could put it on a table of his own, and notify anybody.
  for v_grantee in
    select distinct a.grantee from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    where p.oid = (v_function || '()')::regprocedure and a.grantee <> p.proowner
  loop
    execute format('revoke all on function %s() from %s', v_function,
                   case when v_grantee = 0 then 'public' else quote_ident(pg_get_userbyid(v_grantee)) end);
  end loop;

  v_trigger := 'herald_watch_' || name || '_insert';
  if on_insert is not false then
    execute format('create or replace trigger %I after insert on %s referencing new table as new_rows '
                   'for each statement execute function %s(%L)', v_trigger, table_name, v_function, v_config);
  elsif exists (select from pg_trigger t where t.tgrelid = table_name and t.tgname = v_trigger) then
    execute format('drop trigger %I on %s', v_trigger, table_name);
  end if;
  v_trigger := 'herald_watch_' || name || '_update';
  if cardinality(on_update_of) > 0 then
    execute format('create or replace trigger %I after update on %s '
                   'referencing old table as old_rows new table as new_rows '
                   'for each statement execute function %s(%L)', v_trigger, table_name, v_function, v_config);
  elsif exists (select from pg_trigger t where t.tgrelid = table_name and t.tgname = v_trigger) then
    execute format('drop trigger %I on %s', v_trigger, table_name);
  end if;
  perform herald.watch_forget(table_name, name);
end
$$;
comment on function herald.watch(regclass, text, text, text, text, text, text, jsonb, text, interval, boolean, text[], text,
                                 text) is
  'makes notifications of a table''s rows: for each one inserted (on_insert), and each one in which a column of '
  'on_update_of has changed, if only_when, a condition of SQL about new.column and old.column, is true. user_column: whose '
  'it is; null: nobody''s. title, message, category, severity, action_url, dedupe_key and the strings in data are '
  'templates: {column}, {old.column}, {{ and }}. name tells several watches of a table apart; the same again replaces it. '
  'It needs TRIGGER on the table, CREATE on its schema and herald_app, and runs with its caller''s rights. What fails there '
  'is a warning, never an error: see herald.watches';

create function herald.unwatch(table_name regclass, name text default 'watch') returns boolean
  language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
  v_trigger record;
  v_found boolean := false;
begin
  if table_name is null then
    raise null_value_not_allowed using message = 'table_name must not be null';
  end if;
  for v_trigger in
    select t.tgname, t.tgfoid::regprocedure as code, pg_has_role(p.proowner, 'usage') as allowed,
           row_number() over (order by t.tgname desc) = 1 as last
    from pg_trigger t join pg_proc p on p.oid = t.tgfoid
    where t.tgrelid = table_name and p.proname like 'herald\_watch\_%' and herald.watch_config(t.tgargs) ->> 'name' = name
    order by t.tgname
  loop
    if not (select pg_has_role(c.relowner, 'usage') from pg_class c where c.oid = table_name) then
      raise insufficient_privilege using
        message = format('role %I may not remove a trigger of %s', current_user, table_name),
        hint = 'Only the owner of the table may.';
    end if;
    execute format('drop trigger %I on %s', v_trigger.tgname, table_name);
    if v_trigger.last and v_trigger.allowed then
      execute format('drop function %s', v_trigger.code);
    end if;
    v_found := true;
  end loop;
  perform herald.watch_forget(table_name, name);
  return v_found;
end
$$;
comment on function herald.unwatch(regclass, text) is
  'ends what herald.watch began, and removes its triggers and, if it is the caller''s, their function; false when there is '
  'no watch of that name. Only the owner of the table may';

revoke execute on all functions in schema herald from public;
grant execute on function
  herald.watch_failed(oid, text, text, text),
  herald.watch_forget(oid, text),
  herald.watch_column(regclass, text, text),
  herald.watch_template(regclass, text, text, boolean),
  herald.watch_data(regclass, jsonb),
  herald.watch_values(regclass, jsonb),
  herald.watch_code(regclass, jsonb),
  herald.watch_config(bytea),
  herald.watch_check(regclass, jsonb),
  herald.watch_check_condition(regclass, text),
  herald.watch_function(regclass, text),
  herald.watch(regclass, text, text, text, text, text, text, jsonb, text, interval, boolean, text[], text, text),
  herald.unwatch(regclass, text)
to herald_app;
grant select on herald.watches to herald_app;

reset search_path;
