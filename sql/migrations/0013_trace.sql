-- pgherald 0013: `pgherald trace` asks every relay what it knows of a user, and gets answers.

set search_path = pg_catalog, pg_temp;

insert into herald.migrations (id, name) values (13, '0013_trace');

-- Question and answers are messages to an address that no user has, so they take the way of every change, behind all
-- that was committed before; relays of before drop them as messages for somebody else. herald.relay_tidy removes them.
create function herald.relay_trace_ask(p_trace uuid, p_user text) returns text
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- A message to null is one to everybody.
  if p_trace is null or p_user is null or char_length(p_user) not between 1 and 128 then
    raise invalid_parameter_value using message = 'p_trace must be a uuid, and p_user have 1 to 128 characters';
  end if;
  insert into herald.messages (user_id, kind, body) values ('(trace ' || p_trace || ')', 'message', to_json(p_user)::text);
  return pg_current_xact_id()::text;
end
$$;
comment on function herald.relay_trace_ask(uuid, text) is
  'asks every relay about a user; p_trace is a new random uuid. Answers come within a second or so: SELECT body FROM '
  'herald.messages WHERE xid >= what this returns AND user_id = ''(answer '' || p_trace || '')''';

create function herald.relay_trace_answer(p_trace uuid, p_answer text) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if p_trace is null or p_answer is null or octet_length(p_answer) > 65536 then
    raise invalid_parameter_value using message = 'p_trace must be a uuid, and p_answer have at most 65536 bytes';
  end if;
  insert into herald.messages (user_id, kind, body)
  values ('(answer ' || p_trace || ')', 'message',
          json_build_object('backend', pg_backend_pid(), 'address', coalesce(host(inet_client_addr()), 'this machine'),
                            'answer', p_answer::json)::text);
end
$$;
comment on function herald.relay_trace_answer(uuid, text) is
  'a process''s answer, one JSON object of at most 65536 bytes; where it came from is added';

revoke execute on function herald.relay_trace_ask(uuid, text), herald.relay_trace_answer(uuid, text) from public;
grant execute on function herald.relay_trace_ask(uuid, text), herald.relay_trace_answer(uuid, text) to herald_relay;

reset search_path;
