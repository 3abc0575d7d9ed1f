// The log: it parses, it has who and why, and it never has what a client or an application sent. The checks themselves
// (lib/log.mjs), which every relay of every test file goes through at its end, are shown to fail.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Client, connect, devToken, outcome } from './lib/client.mjs';
import { keyFile, newSecret, token } from './lib/jwt.mjs';
import { assertLogLines, assertNoSecrets, CANARY, parseLog } from './lib/log.mjs';
import { Cluster } from './lib/postgres.mjs';
import { RawSocket, upgradeRequest } from './lib/raw.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

describe('the log', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  const line = (more = '', { time = '2026-01-02T03:04:05.678Z', level = 'info', event = 'session_open' } = {}) =>
    `time=${time} level=${level} event=${event} pid=7${more}\n`;

  it('lines that parse pass the check, others do not', () => {
    for (const good of [line(), line(' user=u-a'), line(' user="a \\"b\\" \\u202e\\n\\x80"'), line(' user=""'), '']) {
      assertLogLines(good);
    }
    assertLogLines('{"time":"2026-01-02T03:04:05.678Z","level":"info","event":"session_open","pid":7,"user":"é"}\n');
    const bad = {
      'text': 'Segmentation fault\n',
      'half a line': 'time=2026-01-02T03:04:05.678Z level=in\n',
      'another time': line('', { time: 'yesterday' }),
      'another level': line('', { level: 'error' }),
      'an unknown event': line('', { event: 'nonsense' }),
      'a space in a value': line(' user=a b'),
      'a quote in a value': line(' user=a"b'),
      'an open quote': line(' user="a'),
      'an unknown escape': line(' user="\\q"'),
      'a control character': line(' user="\u001b[31m"'),
      'a mark that reorders': line(' user="\u202e"'),
      'a field twice': line(' user=a user=b'),
      'JSON cut short': '{"time":"2026-01-02T03:04:05.678Z","level":"info"',
      'JSON in another order': '{"level":"info","time":"2026-01-02T03:04:05.678Z","event":"session_open","pid":7}',
    };
    for (const [name, log] of Object.entries(bad)) assert.throws(() => assertLogLines(log), /not events/, name);
  });

  it('lines without secrets pass the check, others do not', () => {
    assertNoSecrets(line(' user=u-alice reason=token_signature'));
    const secret = newSecret();
    const bad = {
      'a development token': devToken('alice'),
      'a JWT': token(secret),
      'a header': 'Authorization: Bearer x',
      'a query string': '/ws?token=x',
      'a cursor': '/ws?a=b&cursor=1-2',
      'a payload': `title ${CANARY}`,
      'a payload in other letters': CANARY.toUpperCase(),
      'a password': 'password=s3cret',
      'a key': secret,
    };
    for (const [name, text] of Object.entries(bad)) {
      assert.throws(() => assertNoSecrets(line(` message="${text}"`)), /a token, a query string/, name);
    }
  });

  it('a relay with a secret or an odd line in its log fails the test file', async () => {
    for (const odd of [line(` message="${CANARY}"`), 'Segmentation fault\n']) {
      const relay = await startRelay(db);
      relay.earlierLogs = odd;
      await assert.rejects(relay.finish(), /lines of the log/);
      relay.earlierLogs = '';
    }
  });

  for (const format of ['logfmt', 'json']) {
    it(`nothing that clients and applications send is in it, at its most talkative (${format})`, async () => {
      const secret = newSecret();
      const relay = await startRelay(db, {
        HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(secret), HERALD_LOG_FORMAT: format, HERALD_WORKERS: '2',
      });
      for (const via of ['query', 'header', 'frame']) {
        const subjects = [CANARY, `a\n${CANARY}`];
        const bad = [`${CANARY}.x.y`, token(newSecret()), ...subjects.map((sub) => token(secret, { sub }))];
        for (const one of bad) assert.ok((await outcome(relay, { token: one, via })).code >= 4000);
        const foreign = { token: token(secret), via, origin: `https://${CANARY}.example` };
        assert.deepEqual(await outcome(relay, foreign), { status: 403 });
      }
      for (const head of [
        `${CANARY} / HTTP/1.1\r\nHost: x\r\n\r\n`,
        upgradeRequest(relay, { path: `/${CANARY}` }),
        upgradeRequest(relay, { token: `${CANARY}%zz` }).replace('%25', '%'),
        upgradeRequest(relay, { headers: { 'Sec-WebSocket-Key': CANARY } }),
        upgradeRequest(relay, { headers: { 'X-Big': CANARY.repeat(2000) } }),
      ]) {
        const socket = new RawSocket(relay);
        await socket.write(head);
        await socket.response().catch(() => {});
        socket.destroy();
      }
      const tab = new Client(relay, { token: token(secret, { canary: CANARY }) });
      await tab.next('connected');
      for (const message of [
        CANARY,
        `{"type":"${CANARY}"}`,
        `{"type":"get_unread","limit":"${CANARY}"}`,
        `{"type":"mark_read","notification_id":"${CANARY}"}`,
        `{"type":"ping","ref":"${CANARY.repeat(10)}"}`,
        `{"type":"resume","cursor":"${CANARY}"}`,
        `{"type":"mark_all_read","until":"2026-02-30T00:00:00Z${CANARY}"}`,
        '{"type":"mark_all_read","until":"2026-02-30T00:00:00Z"}', // PostgreSQL refuses it
      ]) tab.send(message);
      await tab.ping();
      await db.notify('alice', CANARY, { message: CANARY, data: JSON.stringify(CANARY) });
      await db.sql('select herald.broadcast_to_user($1, $2)', ['u-alice', `{"type":"${CANARY}"}`]);
      await tab.next('new_notification');
      await tab.next(CANARY);
      await db.sql('select pg_notify($1, $2)', ['herald', CANARY]);
      tab.socket.send(Buffer.from(CANARY));
      await tab.closed;
      await relay.stop();
      const seen = new Set(parseLog(relay.log()).map(({ event }) => event));
      const expected = ['session_open', 'session_closed', 'handshake_refused', 'query_failed'];
      assert.deepEqual(expected.filter((event) => !seen.has(event)), []);
      assert.ok(!relay.log().includes('2026-02-30'), 'what PostgreSQL refused is not quoted');
    });

    it(`it names users exactly, whatever their ids are made of (${format})`, async () => {
      const relay = await startRelay(db, { HERALD_LOG_FORMAT: format });
      const odd = ['', ' ', '"', '\\', '=', 'a\nlevel=x', '\u001b[31m\u007f\u0085', '\u202e\u2066\u2028', 'é😀'];
      const ids = odd.map((text) => format + text);
      for (const [i, id] of ids.entries()) {
        await db.sql('insert into herald.users (id, username) values ($1, $2)', [id, `${format}${i}`]);
        await connect(relay, `${format}${i}`);
      }
      const opened = ({ event }) => event === 'session_open';
      const named = () => parseLog(relay.log()).filter(opened).map(({ user }) => user);
      await eventually('all sessions in the log', () => named().length === ids.length);
      assert.deepEqual(named(), ids);
    });
  }
});
