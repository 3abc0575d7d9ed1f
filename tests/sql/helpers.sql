-- What the pgTAP files share: other sessions (by dblink, which only the tests use), bells, the feed and plans in short.
create schema t;

create function t.connect(session text) returns text language sql as $$
  select dblink_connect(session, format('host=%s dbname=%s user=postgres',
                                        current_setting('unix_socket_directories'), current_database()))
$$;
comment on function t.connect(text) is 'opens another session, by name';

create function t.run(session text, command text) returns text language sql as $$
  select dblink_exec(session, command)
$$;
create function t.get(session text, query text) returns text language sql as $$
  select * from dblink(session, query) as (answer text)
$$;
comment on function t.get(text, text) is 'the one value of a query in another session';

create function t.eventually(query text) returns boolean language plpgsql as $$
declare
  v_true boolean;
begin
  for attempt in 1 .. 1000 loop
    execute query into v_true;
    exit when v_true;
    perform pg_sleep(0.005);
  end loop;
  return v_true;
end
$$;
comment on function t.eventually(text) is 'whether a query becomes true within 5 s: a session that was closed ends a little later';

create function t.waits() returns boolean language sql as $$
  select t.eventually('select exists (select from pg_locks where not granted)')
$$;
comment on function t.waits() is 'whether a session waits for another one, within 5 s';

create sequence t.barriers;
create function t.bells(session text) returns text language plpgsql as $$
declare
  v_barrier text := 'barrier ' || nextval('t.barriers');
  v_bells text[] := '{}';
  v_bell text;
begin
  -- Notifications are heard in the order of the commits, so all bells come before this one.
  perform dblink_exec('barrier', format('notify herald, %L', v_barrier));
  for attempt in 1 .. 1000 loop
    for v_bell in select extra from dblink_get_notify(session) loop
      if v_bell = v_barrier then
        return array_to_string(v_bells, ' ');  -- without nulls, earlier barriers
      end if;
      v_bells := v_bells || case when v_bell not like 'barrier %' then v_bell end;
    end loop;
    perform pg_sleep(0.005);
  end loop;
  raise 'the barrier was not heard within 5 s';
end
$$;
comment on function t.bells(text) is
  'payloads heard by a session since it was last asked, blank in between; needs a session "barrier"';

create function t.changes(since text) returns setof text language sql as $$
  select concat_ws(' ', f.kind, coalesce(f.user_id, '*'), coalesce(f.body::jsonb ->> 'title', f.body::jsonb ->> 'type', right(f.id, 2)),
                   'v' || f.version)
  from herald.feed(since::pg_snapshot, 64) f where f.kind <> 'h'
$$;
comment on function t.changes(text) is
  'herald.feed without its header, a line each: kind, user (* for all), title or type or end of the id, version';

create function t.plan(query text) returns table (node text, relation text, index_name text) language plpgsql as $$
declare
  v_plan jsonb;
begin
  execute 'explain (format json) ' || query into v_plan;
  return query
  select p ->> 'Node Type', p ->> 'Relation Name', p ->> 'Index Name'
  from jsonb_path_query(v_plan, 'strict $.**.Plan') whole (p)
  union all
  select p ->> 'Node Type', p ->> 'Relation Name', p ->> 'Index Name'
  from jsonb_path_query(v_plan, 'strict $.**.Plans[*]') part (p);
end
$$;
comment on function t.plan(text) is 'every node of a query''s plan';

create function t.visited() returns bigint language sql as $$
  select s.seq_tup_read + coalesce(s.idx_tup_fetch, 0) from pg_stat_xact_user_tables s
  where s.relid = 'herald.notifications'::regclass
$$;
comment on function t.visited() is 'rows of herald.notifications fetched in this transaction, by whatever scan';

grant usage on schema t to public;
