-- The main ways through the schema without pgTAP, for servers that do not have it; `compat` runs it as a superuser.
-- Fails at the first thing that is wrong.
set client_min_messages = warning;
insert into herald.users values ('1', 'alice');
create temp table seen as select pg_current_snapshot() as since;
grant select on seen to public;

do $$
declare
  v_id uuid;
  v_plain uuid;
begin
  set local role herald_app;
  v_id := herald.notify_user('1', 'Hello', message => 'a "quoted" word', data => '{"a": 1}', dedupe_key => 'k');
  assert herald.notify_user('1', 'Again', dedupe_key => 'k') = v_id, 'a dedupe_key finds what there is';
  insert into herald.notifications (user_id, title, version) values ('1', 'Plain', 7) returning id into v_plain;
  perform herald.broadcast_to_all('{"type":"hi"}');
  perform herald.disconnect_user('2');
  assert herald.mark_read('1', v_plain::text), 'mark_read by text';
  assert herald.mark_read('1', array[v_plain]) = 1, 'mark_read by array';
  assert (select count(*) from herald.unread('1')) = 1, 'one is unread';
  begin
    delete from herald.notifications;
    assert false, 'herald_app must not delete';
  exception when insufficient_privilege then null;
  end;
  begin
    perform herald.broadcast_to_all('{"type":"pong"}');
    assert false, 'a type of the protocol must be refused';
  exception when invalid_parameter_value then null;
  end;
end
$$;

do $$
declare
  v_feed text;
  v_page record;
begin
  set local role herald_relay;
  select string_agg(concat_ws(' ', f.kind, f.user_id, f.body::json ->> 'title', f.body::json ->> 'type', f.version), ', ')
    into v_feed from seen, herald.feed(seen.since, 64) f where f.kind <> 'h';
  assert v_feed = 'n 1 Hello 1, n 1 Plain 2, m hi, x 2', v_feed;
  assert herald.resolve_user('{"username":"alice"}') = '1', 'resolve_user';
  assert herald.relay_epoch() ~ '^\d+:[0-9A-F]{8}:\d+\.\d+:[0-9a-f-]{36}$', 'relay_epoch';
  select * into v_page from herald.relay_page('1', false, 1, null, null);
  assert v_page.unread_count = 1 and json_array_length(v_page.notifications::json) = 1 and v_page.next is not null, v_page::text;
  select * into v_page from herald.relay_page('1', false, 1, split_part(v_page.next, '_', 1)::timestamptz,
                                              split_part(v_page.next, '_', 2)::uuid);
  assert v_page.next is null and v_page.notifications::json -> 0 ->> 'title' = 'Hello', v_page::text;
  assert (select count from herald.relay_unread_counts('{1}')) = 1, 'relay_unread_counts';
  assert herald.relay_mark_all_read('1', null, null) = 1, 'relay_mark_all_read';
  assert (select messages + tombstones + expired from herald.relay_tidy()) = 0, 'relay_tidy';
  begin
    update herald.notifications set read_at = null;
    assert false, 'herald_relay must not update';
  exception when insufficient_privilege then null;
  end;
end
$$;

do $$
declare
  v_feed text;
begin
  update seen set since = pg_current_snapshot();
  update herald.notifications set user_id = '3' where title = 'Plain';
  delete from herald.notifications where title = 'Hello';
end
$$;
do $$
declare
  v_feed text;
begin
  select string_agg(concat_ws(' ', f.kind, f.user_id, f.body::json ->> 'title', f.version), ', ' order by f.kind, f.user_id)
    into v_feed from seen, herald.feed(seen.since, 64) f where f.kind <> 'h';
  assert v_feed = 'd 1, d 1, n 3 Plain 3', v_feed;
  assert herald.prune('0') = 1, 'prune';
  truncate herald.notifications;
end
$$;

-- Rows of an application's table.
create table public.orders (id int, customer int, status text) partition by range (id);
create table public.orders1 partition of public.orders for values from (0) to (100);
create table public.orders2 partition of public.orders for values from (100) to (200);
do $$
declare
  v_told text;
begin
  perform herald.watch('public.orders', 'customer', 'Order {id}: {old.status} {status}', data => '{"order": "{id}"}',
                       on_update_of => '{status,id}', only_when => 'new.status <> ''quiet''');
  insert into public.orders values (1, 1, 'new'), (2, null, 'new'), (3, 3, 'quiet'), (4, 4, 'new');
  update public.orders set status = 'paid' where id in (3, 4);
  update public.orders set id = id + 100;
  select string_agg(n.user_id || ' ' || n.title || ' ' || (n.data ->> 'order'), ', ' order by n.created_at) into v_told
  from herald.notifications n where n.title like 'Order %';
  assert v_told = '1 Order 1:  new 1, 4 Order 4:  new 4, 3 Order 3: quiet paid 3, 4 Order 4: new paid 4, '
                  '1 Order 101: new new 101, 3 Order 103: paid paid 103, 4 Order 104: paid paid 104', v_told;
  assert (select w.last_error is null from herald.watches w), 'watches';
  assert herald.unwatch('public.orders'), 'unwatch';
  delete from herald.notifications;
end
$$;
drop table public.orders;

-- The doorbell, seen from one session: silent without a sleeping relay, ringing with its key taken. A session does not
-- refuse itself a lock, so what can be seen here is only that the writer then holds all four.
begin;
insert into herald.notifications (user_id, title) values ('1', 'x');
do $$ begin
  assert (select count(*) from pg_locks where locktype = 'advisory' and classid = 1212502606 and mode = 'ShareLock') = 4,
    'a silent writer holds the four keys shared';
end $$;
commit;

-- The feed is inlined and reads by indexes only, with the settings of the relay's session.
insert into herald.notifications (user_id, title) select 'user ' || k % 100, 'x' from generate_series(1, 50000) k;
set enable_seqscan = off;
set enable_bitmapscan = off;
set plan_cache_mode = force_generic_plan;
set jit = off;
set max_parallel_workers_per_gather = 0;
set role herald_relay;
prepare feed as select * from herald.feed($1, 64);
do $$
declare
  v_line text;
  v_plan text := '';
begin
  for v_line in execute 'explain execute feed(null)' loop
    v_plan := v_plan || v_line || E'\n';
  end loop;
  assert v_plan !~ 'Seq Scan|Function Scan|Bitmap', v_plan;
  assert (select count(*) from regexp_matches(v_plan, 'Index Scan using (tombstones|notifications|messages)_xid', 'g')) = 6, v_plan;
  assert v_plan ~ 'Index Only Scan using notifications_unread', v_plan;
end
$$;
