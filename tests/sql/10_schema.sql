begin;
select no_plan();

select columns_are('herald', 'notifications', array['id', 'user_id', 'title', 'message', 'category', 'severity',
  'action_url', 'data', 'created_at', 'read_at', 'expires_at', 'dedupe_key', 'xid', 'created_xid', 'version']);
select columns_are('herald', 'users', array['id', 'username', 'disabled_at']);
select columns_are('herald', 'tombstones', array['user_id', 'notification_id', 'xid', 'deleted_at']);
select columns_are('herald', 'messages', array['id', 'user_id', 'kind', 'body', 'xid', 'created_at']);
select col_is_pk('herald', 'notifications', 'id', 'notifications are known by id');
select col_is_pk('herald', 'users', 'id', 'users too');
select col_is_unique('herald', 'users', 'username', 'and by a unique username');
select set_eq($$ select relname::text from pg_class where relnamespace = 'herald'::regnamespace
                 and relkind = 'r' and relpersistence = 'u' $$,
              array['epoch', 'messages'], 'messages and the epoch are not logged, everything else is');
select results_eq('select id, name from herald.migrations order by id',
  $$ values (1, '0001_tables'), (2, '0002_feed'), (3, '0003_relay'), (4, '0004_application'), (5, '0005_resume'),
            (6, '0006_page_bytes'), (7, '0007_origin'), (8, '0008_resume_plan'),
            (9, '0009_users_feed'), (10, '0010_pages'), (11, '0011_stamp_by_default'),
            (12, '0012_watch'), (13, '0013_trace'), (14, '0014_http'),
            (15, '0015_counted_feed'), (16, '0016_stamped_reads'), (17, '0017_insert_cost'),
            (18, '0018_watch_keys') $$,
  'every migration has recorded itself');
select results_eq('select count(*) from herald.state', array[1::bigint], 'the state is one row');
select throws_ok('insert into herald.state default values', '23505', null, 'and cannot be two');

-- Conventions that hold for everything in the schema.
select is_empty($$ select relname from pg_class where relnamespace = 'herald'::regnamespace and relkind = 'r'
                   and obj_description(oid, 'pg_class') is null $$, 'every table has a comment');
select is_empty($$ select i.indexrelid::regclass from pg_index i join pg_class c on c.oid = i.indexrelid
                   where c.relnamespace = 'herald'::regnamespace and obj_description(c.oid, 'pg_class') is null
                     and not exists (select from pg_constraint k where k.conindid = c.oid) $$,
                'every index says which query it serves');
select is_empty($$ select oid::regprocedure from pg_proc where pronamespace = 'herald'::regnamespace
                   and obj_description(oid, 'pg_proc') is null $$, 'every function has a comment');
select is_empty($$ select oid::regprocedure from pg_proc where pronamespace = 'herald'::regnamespace and prosecdef
                   and not coalesce(proconfig, '{}') @> array['search_path=pg_catalog, pg_temp'] $$,
                'every security definer function has a fixed search_path');
select is_empty($$ select tgrelid::regclass, tgname from pg_trigger
                   where tgrelid::regclass::text like 'herald.%' and not tgisinternal and tgenabled <> 'A' $$,
                'every trigger is enabled always');
select set_eq($$ select tgrelid::regclass || ' ' || tgname from pg_trigger
                 where tgrelid::regclass::text like 'herald.%' and not tgisinternal $$,
              array['herald.notifications zz_stamp', 'herald.notifications zz_stamp_new', 'herald.notifications bury_deleted',
                    'herald.notifications bury_moved', 'herald.notifications bury_replicated', 'herald.notifications bury_all',
                    'herald.notifications doorbell', 'herald.messages zz_stamp', 'herald.messages doorbell', 'herald.users forget_users'],
              'there are no other triggers');

-- PostgreSQL parses and plans them anew in every statement that writes a row: what an INSERT costs follows their length.
select cmp_ok((select sum(length(conbin::text)) from pg_constraint
               where conrelid = 'herald.notifications'::regclass and contype = 'c'), '<=', 5000::bigint,
              'the constraints of notifications are short');
select is_empty($$ select conrelid::regclass, conname from pg_constraint
                   where connamespace = 'herald'::regnamespace and not convalidated $$, 'all of a new schema are validated');

-- Defaults.
insert into herald.notifications (user_id, title) values ('alice', 'Hello');
select row_eq($$ select message, category, severity, action_url, data, read_at, expires_at, dedupe_key, version
                 from herald.notifications $$,
              row (''::text, null::text, 'info'::text, null::text, null::jsonb, null::timestamptz, null::timestamptz,
                   null::text, 1), 'a user and a title are enough');
select ok(created_at between now() and clock_timestamp(), 'created_at is the time of the insert')
from herald.notifications;
select isnt(id, null, 'and an id is made') from herald.notifications;

-- Constraints; a name says what is allowed.
prepare try as insert into herald.notifications (user_id, title, severity, created_at, read_at, dedupe_key, message, data)
  values ($1, $2, coalesce($3, 'info'), coalesce($4, now()), $5, $6, coalesce($7, ''), $8);
select throws_like($$ execute try ('', 't', null, null, null, null, null, null) $$, '%user_id_is_1_to_128_characters%', 'empty user_id');
select throws_like($$ execute try (repeat('ä', 129), 't', null, null, null, null, null, null) $$,
                   '%user_id_is_1_to_128_characters%', 'user_id of 129 characters');
select lives_ok($$ execute try (repeat('ä', 128), 't', null, null, null, null, null, null) $$, 'user_id of 128 characters');
select throws_ok($$ execute try (null, 't', null, null, null, null, null, null) $$, '23502', null, 'no user_id');
select throws_ok($$ execute try ('a', null, null, null, null, null, null, null) $$, '23502', null, 'no title');
select throws_like($$ execute try ('a', 't', 'fatal', null, null, null, null, null) $$,
                   '%severity_is_info_success_warning_or_error%', 'unknown severity');
select lives_ok(format($$ execute try ('a', 't', %L, null, null, null, null, null) $$, s), 'severity ' || s)
from unnest(array['info', 'success', 'warning', 'error']) s;
select throws_like(format($$ execute try ('a', 't', null, %L, null, null, null, null) $$, c),
                   '%created_at_is_in_year_1_to_9999%', 'created_at ' || c)
from unnest(array['infinity', '-infinity', '10000-01-01 00:00+00', '0001-12-31 23:59:59.999999+00 BC']) c;
select lives_ok(format($$ execute try ('a', 't', null, %1$L, %1$L, null, null, null) $$, c), 'created_at and read_at ' || c)
from unnest(array['0001-01-01 00:00+00', '9999-12-31 23:59:59.999999+00']) c;
select throws_like(format($$ execute try ('a', 't', null, null, %L, null, null, null) $$, c),
                   '%read_at_is_in_year_1_to_9999%', 'read_at ' || c)
from unnest(array['infinity', '-infinity', '10000-01-01 00:00+00', '0001-12-31 23:59:59.999999+00 BC']) c;
select throws_like($$ execute try ('a', 't', null, null, null, '', null, null) $$,
                   '%dedupe_key_is_1_to_255_characters%', 'empty dedupe_key');
select throws_like($$ execute try ('a', 't', null, null, null, repeat('ä', 256), null, null) $$,
                   '%dedupe_key_is_1_to_255_characters%', 'dedupe_key of 256 characters');
select lives_ok($$ execute try ('a', 't', null, null, null, repeat('k', 255), null, null) $$, 'dedupe_key of 255 characters');
select throws_ok($$ execute try ('a', 't', null, null, null, repeat('k', 255), null, null) $$, '23505', null,
                 'a dedupe_key twice for one user');
select lives_ok($$ execute try ('b', 't', null, null, null, repeat('k', 255), null, null) $$, 'but not for two');
select lives_ok($$ execute try ('a', 't', null, null, null, null, repeat('x', 4194303), null) $$, 'text of 4 MiB');
select throws_like($$ execute try ('a', 't', null, null, null, null, repeat('x', 4194304), null) $$,
                   '%text_is_at_most_4_mib%', 'one byte more');
select throws_like(format($$ insert into herald.notifications (user_id, title, message, %1$I) values ('a', 't', repeat('ä', 2097151), 'xx') $$, c),
                   '%text_is_at_most_4_mib%', 'it is bytes that count, and ' || c || ' does')
from unnest(array['category', 'action_url']) c;
select lives_ok($$ insert into herald.notifications (user_id, title, message, category) values ('a', 't', repeat('ä', 2097151), 'x') $$,
                'just as many');
select throws_like($$ insert into herald.notifications (user_id, title, message, data) values ('a', 't', repeat('x', 4194302), '12') $$,
                   '%text_is_at_most_4_mib%', 'and data does');
select throws_like($$ update herald.notifications set action_url = 'xx' where category = 'x' $$, '%text_is_at_most_4_mib%', 'an update as well');
select throws_like($$ insert into herald.notifications (user_id, title, data)
                      values ('a', 't', (select jsonb_agg(1e131071::numeric) from generate_series(1, 40))) $$,
                   '%text_is_at_most_4_mib%', 'a small jsonb that would be written as megabytes');
select throws_like($$ insert into herald.users values ('', 'x') $$, '%users_id_is_1_to_128_characters%', 'empty id of a user');

select * from finish();
rollback;
