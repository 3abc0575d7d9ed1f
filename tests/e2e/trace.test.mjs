// `pgherald trace`: every stage at which a notification can end or wait is told apart, over relays and workers, and
// nothing of its content is shown.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { connect } from './lib/client.mjs';
import { pgherald } from './lib/env.mjs';
import { assertNoSecrets, CANARY } from './lib/log.mjs';
import { Cluster } from './lib/postgres.mjs';
import { Program, run } from './lib/program.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

describe('trace', () => {
  let cluster;
  let db;
  let single;
  let several;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    [single, several] = await Promise.all([startRelay(db), startRelay(db, { HERALD_WORKERS: '2', HERALD_FEED: 'poll' })]);
  });
  after(() => cluster?.end());

  /** Runs it; `{code, output, lines}`, each line `{verdict, subject, text, name}`. */
  async function trace(args, { url = db.url(), wait = 30 } = {}) {
    const { code, output } = await run(pgherald, ['trace', '--wait', String(wait), ...args], { env: { HERALD_DATABASE_URL: url }, timeout: 90_000 });
    assertNoSecrets(output);
    const lines = output.trimEnd().split('\n').map((row) => {
      const [, verdict, subject, text] = /^(ok|WARN|FAIL) +(.{13,}?)  (.+)$/.exec(row) ?? assert.fail(output);
      return { verdict, subject: subject.trimEnd(), text, name: verdict === 'ok' ? undefined : text.split(':')[0] };
    });
    assert.equal(code, lines.some(({ verdict }) => verdict === 'FAIL') ? 1 : 0, output);
    const of = (subject) => lines.filter((line) => line.subject.split(' ')[0] === subject);
    return { code, output, of, names: lines.flatMap(({ name }) => name ?? []) };
  }

  it('a notification that has arrived: who has it, at which relay, and that all is written', async () => {
    const user = await db.person();
    const tabs = [await connect(single, user), await connect(single, user), await connect(several, user)];
    const id = await db.notify(user, CANARY, { message: CANARY, data: JSON.stringify(CANARY) });
    for (const tab of tabs) await tab.next('new_notification', (frame) => frame.notification.id === id);
    const { names, of, output } = await trace(['--notification', id]);
    assert.deepEqual(names, [], output);
    assert.match(of('notification')[0].text, new RegExp(`^${id}: version 1, created \\S+Z, unread, last written by transaction \\d+, committed$`));
    assert.match(of('user')[0].text, new RegExp(`^u-${user} is found`));
    const relays = of('relay');
    assert.equal(relays.length, 3, output); // processes with tabs: one, and two workers
    assert.deepEqual(relays.map(({ text }) => Number(/tabs of the user: (\d+)/.exec(text)[1])).sort(), [0, 1, 2], output);
    assert.ok(relays.some(({ subject }) => subject === `relay ${single.pid}`), output);
    const sessions = of('session');
    assert.equal(sessions.length, 3);
    for (const { text } of sessions) assert.match(text, /^all of it is written to the socket/);
    for (const { subject } of sessions) assert.ok([single, several].some((relay) => relay.log().includes(`event=session_open`) && relay.log().includes(` ${subject.replace(' ', '=')} `)), subject);
    assert.match(of('relays')[0].text, /^3 answered; tabs of the user: 3, of them held up: 0$/);
    assert.ok(!output.includes(CANARY), 'no content');
  });

  it('a user\'s newest notifications, and a user without a tab', async () => {
    const user = await db.person();
    const ids = [];
    for (let i = 0; i < 12; i += 1) ids.push(await db.notify(user, `n${i}`));
    await db.sql('update herald.notifications set read_at = now() where id = $1', [ids[11]]);
    await db.sql(`update herald.notifications set expires_at = now() + interval '1 hour' where id = $1`, [ids[10]]);
    const { names, of, output } = await trace(['--user', `u-${user}`]);
    assert.deepEqual(names, ['no_tab'], output);
    assert.deepEqual(of('notification').map(({ text }) => text.split(':')[0]), ids.slice(2).reverse());
    assert.match(of('notification')[0].text, /version 2, .*, read \S+Z, last/);
    assert.match(of('notification')[1].text, /expires \S+Z$/);
  });

  it('one that is not committed: who may still bring it; when it is, it is there', async () => {
    const user = await db.person();
    const id = randomUUID();
    const writer = await db.session();
    await writer.query('begin');
    await writer.query('insert into herald.notifications (id, user_id, title) values ($1, $2, $3)', [id, `u-${user}`, 'soon']);
    const { rows: [{ pid }] } = await writer.query('select pg_backend_pid() as pid');
    const waiting = await trace(['--notification', id]);
    assert.deepEqual(waiting.names, ['notification_unknown'], waiting.output);
    assert.match(waiting.of('notification')[0].text, new RegExp(`\\(backends .*\\b${pid}\\b`));
    await writer.query('commit');
    await writer.end();
    assert.deepEqual((await trace(['--notification', id])).names, ['no_tab']);
    const never = await trace(['--notification', randomUUID()]);
    assert.match(never.of('notification')[0].text, /transactions that have written the table and are open: \d/);
    assert.equal(never.code, 1);
  });

  it('one that was deleted, and one that has expired', async () => {
    const user = await db.person();
    await connect(single, user);
    const gone = await db.notify(user, 'gone');
    await db.sql('delete from herald.notifications where id = $1', [gone]);
    const deleted = await trace(['--notification', gone]);
    assert.deepEqual(deleted.names, ['notification_deleted'], deleted.output);
    assert.match(deleted.of('notification')[0].text, new RegExp(`${gone} of user u-${user} was deleted at \\S+Z`));
    const old = await db.notify(user, 'old', { expires_at: '2020-01-01T00:00:00Z' });
    assert.deepEqual((await trace(['--notification', old])).names, ['notification_expired']);
  });

  it('a user who is unknown or disabled, or has another id', async () => {
    const id = await db.notify('nobody-at-all', 'x');
    assert.deepEqual((await trace(['--notification', id])).names, ['unknown_user', 'no_tab']);
    const user = await db.person();
    await db.sql('update herald.users set disabled_at = now() where username = $1', [user]);
    assert.deepEqual((await trace(['--user', `u-${user}`])).names, ['no_notifications', 'unknown_user', 'no_tab']);
  });

  it('a tab that does not take what is written to it', async () => {
    const user = await db.person();
    const relay = await startRelay(db, { HERALD_QUEUE_BYTES: '65536' });
    const tab = await connect(relay, user);
    tab.socket._socket.pause();
    for (let i = 0; i < 8; i += 1) await db.notify(user, 'large', { message: 'x'.repeat(1_000_000) });
    const seen = await eventually('it to be behind', async () => {
      const traced = await trace(['--user', `u-${user}`]);
      return /: behind, /.test(traced.output) && traced;
    });
    assert.deepEqual(seen.names, ['session_behind'], seen.output);
    assert.match(seen.of('session')[0].text, /^session_behind: behind, ([1-9]\d* bytes wait for its socket, which is full|its socket is full)\. /);
    tab.socket._socket.resume();
    await tab.next('resumed', undefined, 30_000);
    await eventually('all of it to be written', async () => (await trace(['--user', `u-${user}`])).names.length === 0, 30_000);
    await relay.stop();
  });

  it('a relay that hangs is missed', async () => {
    const user = await db.person();
    await connect(single, user);
    await db.notify(user, 'x');
    const relay = await startRelay(db);
    process.kill(relay.pid, 'SIGSTOP');
    try {
      const { names, output } = await trace(['--user', `u-${user}`], { wait: 1 });
      assert.ok(names.includes('relay_silent'), output);
    } finally {
      process.kill(relay.pid, 'SIGCONT');
    }
    await relay.stop();
  });

  it('each answer is told once, also one that was written first and committed last', async () => {
    const alone = await cluster.database();
    await alone.notify('alice', 'x');
    // Two that look like processes of relays.
    const [first, second] = await Promise.all([1, 2].map(() => alone.session('relay')));
    for (const session of [first, second]) await session.query(`set application_name = 'pgherald desk'`);
    const program = new Program(pgherald, ['trace', '--user', 'u-alice', '--wait', '60'], { env: { HERALD_DATABASE_URL: alone.url() } });
    const uuid = await eventually('the question', () => alone.value(`select substr(user_id, 8, 36) from herald.messages where user_id like '(trace %'`));
    const answer = (session, pid) => session.query('select herald.relay_trace_answer($1, $2)',
      [uuid, JSON.stringify({ version: '1', pid, live: true, stopping: false, tabs: 0, sessions: [] })]);
    await first.query('begin');
    await answer(first, 1);
    await answer(second, 2);
    await eventually('the second to be told', () => /^ok +relay 2 /m.test(program.output()));
    await first.query('commit');
    assert.equal((await program.end(30_000)).code, 0);
    for (const pid of [1, 2]) assert.equal(program.output().match(new RegExp(`^ok +relay ${pid} `, 'gm')).length, 1, program.output());
    assert.match(program.output(), /no_tab: 2 answered/);
    await Promise.all([first.end(), second.end()]);
  });

  it('no relay at all, where the server knows when a transaction was committed, and a table that was truncated', async (t) => {
    const other = await Cluster.start({ track_commit_timestamp: 'on' });
    t.after(() => other.end());
    const alone = await other.database();
    const id = await alone.notify('alice', 'x');
    const traced = await trace(['--user', 'u-alice'], { url: alone.url(), wait: 1 });
    assert.deepEqual(traced.names, ['no_relay']);
    assert.match(traced.of('notification')[0].text, / committed 20\d\d-\S+Z$/);
    await alone.sql('truncate herald.notifications');
    const truncated = await trace(['--notification', id], { url: alone.url(), wait: 1 });
    assert.match(truncated.of('notification')[0].text, /; the table was truncated at \S+Z\. /);
  });

  it('what holds a session up is said as it is, also where nothing waits', async () => {
    const alone = await cluster.database();
    await alone.notify('alice', 'x');
    const relay = await alone.session('relay'); // that looks like one
    await relay.query(`set application_name = 'pgherald desk'`);
    const program = new Program(pgherald, ['trace', '--user', 'u-alice', '--wait', '30'], { env: { HERALD_DATABASE_URL: alone.url() } });
    const uuid = await eventually('the question', () => alone.value(`select substr(user_id, 8, 36) from herald.messages where user_id like '(trace %'`));
    const states = [['behind', 0, true], ['behind', 7, true], ['open', 7, false], ['login', 0, false]];
    const sessions = states.map(([state, waiting_bytes, busy], session) => ({ session, state, waiting_bytes, busy, missed_pings: 0 }));
    await relay.query('select herald.relay_trace_answer($1, $2)',
      [uuid, JSON.stringify({ version: '1', pid: 1, live: true, stopping: false, tabs: states.length, sessions })]);
    await program.end(30_000);
    assert.deepEqual([...program.output().matchAll(/ session_behind: ([^.]*)\. /g)].map(([, text]) => text), [
      'behind, its socket is full', 'behind, 7 bytes wait for its socket, which is full', 'open, 7 bytes wait for its socket', 'login',
    ], program.output());
    await relay.end();
  });

  it('what cannot be asked is said with its name', async () => {
    const failed = async (url) => (await trace(['--user', 'u-alice'], { url })).names;
    assert.deepEqual(await failed('postgresql:///x?host=/nonexistent'), ['database_unreachable']);
    assert.deepEqual(await failed((await cluster.database({ migrated: false })).url()), ['schema_missing']);
    await cluster.admin('create role stranger login');
    assert.deepEqual(new Set(await failed(db.url('stranger'))), new Set(['privileges_missing']));
  });

  it('usage errors are exit 2, a bad configuration 78', async () => {
    for (const args of [[], ['--user', 'a', '--notification', randomUUID()], ['--notification', 'x'], ['--user', ''], ['--user', 'é'.repeat(129)],
      ['--user', 'a', 'b'], ['--wait', '0', '--user', 'a'], ['--wait', '1s', '--user', 'a'], ['--nonsense'], ['--user']]) {
      const { code, output } = await run(pgherald, ['trace', ...args]);
      assert.equal(code, 2, `${args.join(' ')}: ${output}`);
      assert.match(output, /--help/);
    }
    assert.deepEqual((await trace(['--user', '😀'.repeat(128)])).names, ['no_notifications', 'unknown_user', 'no_tab']);
    assert.equal((await run(pgherald, ['trace', '--user', 'a'], { env: { HERALD_WORKERS: 'x' } })).code, 78);
    assert.equal((await run(pgherald, ['trace', '--user', 'a'], { env: { HERALD_DATABASE_URL: 'mysql://x' } })).code, 78);
  });

  it('a message of the application to such an address asks nothing, and answers nothing', async () => {
    const user = await db.person();
    const tab = await connect(single, user);
    const uuid = randomUUID();
    await db.sql(`select herald.broadcast_to_user($1, '{"type":"x","user":"u-alice"}')`, [`(trace ${uuid})`]);
    await tab.settle(db, user);
    assert.equal(await db.value('select count(*) from herald.messages where user_id = $1', [`(answer ${uuid})`]), '0');
  });
});
