// The HTTP API: what it stores, reads, marks and deletes, and that tabs follow; whose it is; keys; pages; bodies;
// connections that are kept, pipelined, slow or gone; limits. (openapi.test.mjs holds all answers against the document.)
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, devToken } from './lib/client.mjs';
import { API, ask } from './lib/http.mjs';
import { keyFile, newSecret, token } from './lib/jwt.mjs';
import { complaint } from './lib/openapi.mjs';
import { Cluster } from './lib/postgres.mjs';
import { RawSocket } from './lib/raw.mjs';
import { CANARY, startRelay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

/** Bytes of a request; `lines` are further lines of its head. */
function raw(method, path, { user, body, lines = [] } = {}) {
  const head = [
    `${method} ${path} HTTP/1.1`, 'Host: x', ...(user ? [`Authorization: Bearer ${devToken(user)}`] : []),
    ...(body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]), ...lines,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

describe('the HTTP API', () => {
  let cluster;
  let db;
  let relay;

  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    relay = await startRelay(db, { HERALD_ALLOWED_ORIGINS: 'https://app.example.org https://other.example.org' });
  });
  after(() => cluster?.end());

  /** A request whose answer is one that the document allows. */
  async function call(method, path, options, at = relay) {
    const answer = await ask(at, method, path, options);
    assert.equal(complaint(method, path, answer), null, `${method} ${path}`);
    return answer;
  }
  const post = (user, json, headers) => call('POST', API, { user, json, headers });
  const refused = ({ status, body }) => [status, body?.code];

  describe('and tabs', () => {
    it('what is stored, marked and deleted arrives in every tab of the user, and of nobody else', async () => {
      const [user, other] = [await db.person(), await db.person()];
      const tabs = [await connect(relay, user), await connect(relay, user)];
      const stranger = await connect(relay, other);
      const created = await post(user, { title: `x ${CANARY}`, message: 'm', category: 'c', severity: 'error', action_url: '/u', data: { n: [1.10, null] } });
      assert.equal(created.status, 201);
      assert.equal(created.headers.location, `${API}/${created.body.id}`);
      for (const tab of tabs) assert.deepEqual((await tab.next('new_notification')).notification, created.body);

      const read = await call('PATCH', created.headers.location, { user, json: { is_read: true } });
      for (const tab of tabs) assert.deepEqual((await tab.next('notification_updated')).notification, read.body);
      assert.deepEqual([read.body.is_read, read.body.version], [true, 2]);
      const again = await call('PATCH', created.headers.location, { user, json: { is_read: true } });
      assert.deepEqual(again.body, read.body, 'what is read already is not changed');
      const unread = await call('PATCH', created.headers.location, { user, json: { is_read: false } });
      assert.deepEqual([unread.body.is_read, unread.body.read_at, unread.body.version], [false, null, 3]);
      for (const tab of tabs) assert.deepEqual((await tab.next('notification_updated')).notification, unread.body);

      assert.deepEqual((await call('POST', `${API}/read-all`, { user })).body, { marked: 1, count: 0 });
      for (const tab of tabs) assert.equal((await tab.next('notification_updated')).notification.is_read, true);
      assert.equal((await call('DELETE', created.headers.location, { user })).status, 204);
      for (const tab of tabs) assert.equal((await tab.next('notification_deleted')).notification_id, created.body.id);
      assert.deepEqual(refused(await call('DELETE', created.headers.location, { user })), [404, 'not_found']);
      await stranger.ping();
      assert.deepEqual(stranger.frames.filter(({ type }) => /notification/.test(type)), []);
    });

    it('data is passed through as it was written', async () => {
      const user = await db.person();
      const answer = await call('POST', API, { user, body: '{"title":"x","data":{"a":1.10,"b":12345678901234567890,"c":1e3}}', headers: { 'Content-Type': 'application/json' } });
      assert.match(answer.text, /"data":\{"a": 1\.10, "b": 12345678901234567890, "c": 1000\}/);
    });
  });

  describe('whose', () => {
    it('another\'s notification can be neither read, marked nor deleted', async () => {
      const [user, other] = [await db.person(), await db.person()];
      const path = `${API}/${await db.notify(other, 'hers')}`;
      assert.deepEqual(refused(await call('GET', path, { user })), [404, 'not_found']);
      assert.deepEqual(refused(await call('PATCH', path, { user, json: { is_read: true } })), [404, 'not_found']);
      assert.deepEqual(refused(await call('DELETE', path, { user })), [404, 'not_found']);
      await call('POST', `${API}/read-all`, { user });
      assert.deepEqual((await call('GET', API, { user })).body, { count: 0, notifications: [], next: null });
      assert.equal(await db.unread(other), 1);
    });

    it('to notify others a token needs the scope, and oneself it does not', async () => {
      const secret = newSecret();
      const strict = await startRelay(db, { HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(secret) });
      const [user, other] = [await db.person(), await db.person()];
      const plain = token(secret, { sub: `u-${user}`, scope: 'notifications:writes other' });
      const writer = token(secret, { sub: `u-${user}`, scope: 'a notifications:write' });
      const create = (bearer, json) => call('POST', API, { token: bearer, json }, strict);
      assert.equal((await create(plain, { title: 'a' })).status, 201);
      assert.equal((await create(plain, { title: 'b', user_id: `u-${user}` })).status, 201);
      const answer = await create(plain, { title: 'c', user_id: `u-${other}` });
      assert.deepEqual(refused(answer), [403, 'insufficient_scope']);
      assert.match(answer.headers['www-authenticate'], /scope="notifications:write"/);
      assert.equal(await db.unread(other), 0);
      assert.equal((await create(writer, { title: 'd', user_id: `u-${other}` })).status, 201);
      assert.deepEqual([await db.unread(user), await db.unread(other)], [2, 1]);
      const late = token(secret, { sub: `u-${user}`, exp: 5 });
      const expired = await create(late, { title: 'e' });
      assert.deepEqual([...refused(expired), expired.body.detail], [401, 'token_refused', 'token expired']);
    });

    it('a token in the query is none, and neither is one of a disabled user', async () => {
      const user = await db.person();
      assert.deepEqual(refused(await call('GET', `${API}?token=${devToken(user)}`)), [401, 'no_token']);
      await db.sql('update herald.users set disabled_at = now() where username = $1', [user]);
      assert.deepEqual(refused(await call('GET', API, { user })), [403, 'unknown_user']);
    });
  });

  describe('a key', () => {
    it('makes one notification of many requests at the same time, at two relays', async () => {
      const user = await db.person();
      const second = await startRelay(db);
      const asked = Array.from({ length: 24 }, (_, i) =>
        (async () => {
          for (;;) { // four at once are a user's share, and who meets the first one under way is told so
            const answer = await call('POST', API, { user, json: { title: 'once' }, headers: { 'Idempotency-Key': 'k' } }, i % 2 ? relay : second);
            if (answer.status === 201) return answer.body.id;
            assert.ok(['key_in_use', 'too_many_at_once'].includes(answer.body.code), answer.text);
            await sleep(50);
          }
        })());
      assert.equal(new Set(await Promise.all(asked)).size, 1);
      assert.equal(await db.unread(user), 1);
    });

    it('is answered with what is there now, and belongs to its request', async () => {
      const [user, other] = [await db.person(), await db.person()];
      const keyed = (who, json) => post(who, json, { 'Idempotency-Key': '8e03978e-40d5-43dd-bc93-6894a57f9324' });
      const first = await keyed(user, { title: 'x', data: { a: 1, b: 2 } });
      await call('PATCH', first.headers.location, { user, json: { is_read: true } });
      const second = await call('POST', API, { user, body: '{ "data":{"b":2,"a":1}, "title":"x" }', headers: { 'Content-Type': 'application/json', 'Idempotency-Key': '8e03978e-40d5-43dd-bc93-6894a57f9324' } });
      assert.deepEqual([second.status, second.headers.location, second.body.is_read], [201, first.headers.location, true]);
      assert.deepEqual(refused(await keyed(user, { title: 'y', data: { a: 1, b: 2 } })), [422, 'key_reused']);
      assert.notEqual((await keyed(other, { title: 'x', data: { a: 1, b: 2 } })).body.id, first.body.id);
      await call('DELETE', first.headers.location, { user });
      assert.deepEqual(refused(await keyed(user, { title: 'x', data: { a: 1, b: 2 } })), [410, 'gone']);
    });
  });

  describe('a page', () => {
    it('by page, every row comes once, with exact totals', async () => {
      const user = await db.person();
      await db.sql(
        `insert into herald.notifications (user_id, title, created_at, read_at, category, severity)
         select $1, 'n' || i, timestamptz '2024-06-01T12:00:00Z' + (i % 4) * interval '1 microsecond', case when i % 3 = 0 then now() end,
                case when i % 2 = 0 then 'even' end, case when i % 5 = 0 then 'error' else 'info' end
         from generate_series(1, 60) i`, [`u-${user}`]);
      for (const [query, where] of [
        ['', 'true'], ['unread=true', 'read_at is null'], ['unread=false', 'read_at is not null'], ['category=even', `category = 'even'`],
        ['severity=error', `severity = 'error'`], ['unread=true&category=even&severity=info', `read_at is null and category = 'even' and severity = 'info'`],
      ]) {
        const expected = (await db.sql(`select id::text from herald.notifications where user_id = $1 and ${where} order by created_at desc, id desc`, [`u-${user}`])).map(({ id }) => id);
        const seen = [];
        let before = '';
        do {
          const page = await call('GET', `${API}?limit=7&${query}${before}`, { user });
          assert.deepEqual([page.status, page.body.count, page.headers['x-total-count']], [200, 40, String(expected.length)], query);
          seen.push(...page.body.notifications.map(({ id }) => id));
          before = page.body.next && `&before=${encodeURIComponent(page.body.next)}`;
        } while (before);
        assert.deepEqual(seen, expected, query);
      }
    });

    it('that has not changed is 304, and one that has is not', async () => {
      const user = await db.person();
      const id = await db.notify(user, 'x');
      const first = await call('GET', API, { user });
      const known = (etag) => call('GET', API, { user, headers: { 'If-None-Match': etag } });
      for (const etag of [first.headers.etag, `W/${first.headers.etag}`, `"a", ${first.headers.etag}`, '*']) assert.equal((await known(etag)).status, 304, etag);
      assert.equal((await known('"a"')).status, 200);
      await call('PATCH', `${API}/${id}`, { user, json: { is_read: true } });
      const second = await known(first.headers.etag);
      assert.equal(second.status, 200);
      assert.notEqual(second.headers.etag, first.headers.etag);
      const one = await call('GET', `${API}/${id}`, { user });
      assert.equal((await call('GET', `${API}/${id}`, { user, headers: { 'If-None-Match': one.headers.etag } })).status, 304);
    });

    it('HEAD has the head of GET', async () => {
      const user = await db.person();
      const id = await db.notify(user, 'x');
      for (const path of [API, `${API}/${id}`, `${API}/${UNKNOWN}`, `${API}?limit=0`]) {
        const [get, head] = [await call('GET', path, { user }), await call('HEAD', path, { user })];
        assert.deepEqual({ ...head.headers, date: 0 }, { ...get.headers, date: 0 }, path);
        assert.deepEqual([head.status, head.text], [get.status, '']);
      }
    });
  });

  describe('from a page of another origin', () => {
    it('may be asked if the origin is listed', async () => {
      const user = await db.person();
      const preflight = await call('OPTIONS', `${API}/${UNKNOWN}`, { headers: { Origin: 'https://app.example.org', 'Access-Control-Request-Method': 'PATCH', 'Access-Control-Request-Headers': 'authorization,content-type' } });
      assert.equal(preflight.status, 204);
      assert.equal(preflight.headers['access-control-allow-origin'], 'https://app.example.org');
      assert.equal(preflight.headers['access-control-allow-methods'], 'GET, HEAD, PATCH, DELETE, OPTIONS');
      assert.match(preflight.headers['access-control-allow-headers'], /Authorization, Content-Type, Idempotency-Key/);
      for (const path of [API, `${API}/${UNKNOWN}`]) { // an error must be readable, too
        const { headers } = await call('GET', path, { user, headers: { Origin: 'https://other.example.org' } });
        assert.equal(headers['access-control-allow-origin'], 'https://other.example.org');
        assert.match(headers['access-control-expose-headers'], /X-Total-Count/);
        assert.match(headers.vary, /Origin/);
        assert.equal(headers['access-control-allow-credentials'], undefined);
      }
      assert.equal((await call('GET', API, { user })).headers['access-control-allow-origin'], undefined);
    });

    it('and by no other', async () => {
      const user = await db.person();
      for (const Origin of ['https://evil.example', 'null', `http://127.0.0.1:${relay.port}`]) {
        for (const [method, options] of [['OPTIONS', {}], ['GET', { user }], ['POST', { user, json: { title: 'x' } }]]) {
          const answer = await call(method, API, { ...options, headers: { Origin } });
          assert.deepEqual(refused(answer), [403, 'origin_not_allowed'], `${method} ${Origin}`);
          assert.equal(answer.headers['access-control-allow-origin'], undefined);
        }
      }
      assert.equal(await db.unread(user), 0);
    });
  });

  describe('a body', () => {
    const sized = (size) => JSON.stringify({ title: 'x'.repeat(size - '{"title":""}'.length) });

    it('may have as many bytes as a message, and no more', async () => {
      const user = await db.person();
      const create = (size) => call('POST', API, { user, body: sized(size), headers: { 'Content-Type': 'application/json' } });
      assert.deepEqual([(await create(8191)).status, (await create(8192)).status], [201, 201]);
      for (const size of [8193, 100_000, 3_000_000]) assert.deepEqual(refused(await create(size)), [413, 'too_large'], String(size));
      assert.equal(await db.unread(user), 2);
    });

    it('that is refused leaves a connection that can go on', async () => {
      const user = await db.person();
      const socket = new RawSocket(relay);
      for (const [bytes, status] of [
        [raw('POST', API, { user, body: '{"title":5}' }), 400], [raw('POST', API, { body: '{"title":"x"}' }), 401],
        [raw('PUT', API, { user, body: '{}' }), 405], [raw('GET', API, { user, body: '{}' }), 400], [raw('GET', API, { user }), 200],
      ]) {
        await socket.write(bytes);
        assert.equal((await socket.response()).status, status, bytes);
      }
      socket.destroy();
    });

    it('is waited for after 100 Continue, and not asked for in vain', async () => {
      const user = await db.person();
      const socket = new RawSocket(relay);
      const body = '{"title":"x"}';
      const head = (more) => raw('POST', API, { user, body, lines: ['Expect: 100-continue', ...more] }).slice(0, -body.length);
      await socket.write(head([]));
      assert.equal((await socket.response()).status, 100);
      await socket.write(body);
      assert.equal((await socket.response()).status, 201);
      await socket.write(head(['Content-Encoding: br']));
      const answer = await socket.response();
      assert.equal(answer.status, 415);
      assert.match(answer.head, /connection: close/i);
      socket.destroy();
    });

    it('in pieces is whole', async () => {
      const user = await db.person();
      const socket = new RawSocket(relay);
      for (const byte of raw('POST', API, { user, body: '{"title":"in pieces ä"}' })) await socket.write(byte);
      const answer = await socket.response();
      assert.equal(answer.status, 201);
      socket.destroy();
      assert.equal((await call('GET', API, { user })).body.notifications[0].title, 'in pieces ä');
    });
  });

  describe('a connection', () => {
    it('may begin with an offer of h2c, or of a WebSocket that its Connection does not name', async () => {
      for (const auth of ['close', 'http']) {
        const own = await startRelay(db, { HERALD_AUTH_REJECT: auth });
        for (const lines of [
          ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA'],
          ...(auth === 'close' ? [['Upgrade: websocket']] : []),
        ]) {
          const socket = new RawSocket(own);
          await socket.write(raw('POST', API, { user: 'alice', body: '{"title":"x"}', lines }));
          assert.equal((await socket.response()).status, 201, lines.join());
          socket.destroy();
        }
        await own.finish();
      }
    });

    it('with a target that is none is told so in plain text, and ends', async () => {
      for (const target of [`${API}?category=%zz`, `${API}?category=%`, `${API}?category=%00`, `${API}/%4`, `http://x${API}`, 'x', '*']) {
        for (const method of ['GET', 'POST', 'OPTIONS']) {
          const socket = new RawSocket(relay);
          await socket.write(raw(method, target, { user: 'alice' }));
          const { status, head, body } = await socket.response();
          assert.deepEqual([status, body], [400, 'bad request\n'], `${method} ${target}`);
          assert.match(head, /^content-type: text\/plain; charset=utf-8$/im);
          await socket.end;
          socket.destroy();
        }
      }
    });

    it('is kept', async () => {
      const user = await db.person();
      const socket = new RawSocket(relay);
      for (let i = 0; i < 30; i += 1) {
        await socket.write(raw('POST', API, { user, body: JSON.stringify({ title: `t${i}` }) }));
        assert.equal((await socket.response()).status, 201);
        await socket.write(raw('GET', `${API}?limit=1`, { user }));
        assert.match((await socket.response()).body, new RegExp(`"title":"t${i}"`));
        await socket.write(raw('POST', `${API}/read-all`, { user, body: '' }));
        assert.equal((await socket.response()).body, '{"marked":1,"count":0}');
      }
      socket.destroy();
    });

    it('answers what was sent ahead in its order, in pieces of any size', async () => {
      const user = await db.person();
      const ids = [];
      for (let i = 0; i < 20; i += 1) ids.push(await db.notify(user, `t${i}`));
      for (const size of [1, 7, 100, 1000, 1_000_000]) {
        let socket = new RawSocket(relay);
        const reads = ids.map((id) => raw('GET', `${API}/${id}`, { user })).join('');
        const all = raw('POST', `${API}/read-all`, { user, body: '{}' }) + reads;
        for (let at = 0; at < all.length; at += size) await socket.write(all.slice(at, at + size));
        const { status, head } = await socket.response();
        assert.equal(status, 200);
        if (/^connection: close/im.test(head)) { // libwebsockets 4.3 has taken them for the body: they may be sent again
          assert.equal(socket.data.length, 0);
          socket.destroy();
          socket = new RawSocket(relay);
          await socket.write(reads);
        }
        for (let i = 0; i < ids.length; i += 1) assert.match((await socket.response()).body, new RegExp(`"title":"t${i}"`));
        socket.destroy();
      }
    });

    it('with a body sent ahead ends, and does the relay no harm', async () => {
      const user = await db.person();
      const requests = [
        raw('POST', API, { user, body: '{"title":"ahead"}' }), raw('POST', API, { user, body: '{"title":5}' }), raw('GET', API, { user }),
        raw('POST', `${API}/read-all`, { user }), raw('POST', `${API}/read-all`, { user, body: '' }), raw('PUT', API, { body: '{}' }),
        raw('GET', API, { user, body: 'x'.repeat(100) }), raw('GET', '/healthz'), raw('GET', '/healthz', { body: 'xxxxx' }), raw('DELETE', API, { body: '' }),
        raw('GET', '/healthz', { lines: ['Transfer-Encoding: chunked'] }), raw('GET', `${API}/${UNKNOWN}`, { user, lines: ['Transfer-Encoding: chunked'] }),
      ];
      let refusedOrStored = 0;
      for (const first of requests) {
        for (const second of requests) {
          const socket = new RawSocket(relay);
          await socket.write(first + second + second + first);
          for (let i = 0; i < 4; i += 1) {
            const answer = await Promise.race([socket.response().catch(() => null), socket.end]);
            if (!answer) break;
            assert.ok(answer.status < 500, `${first} ${second}: ${answer.head}`);
            refusedOrStored += 1;
          }
          socket.destroy();
        }
      }
      assert.ok(refusedOrStored > requests.length ** 2);
      assert.equal((await call('GET', API, { user })).status, 200);
    });

    it('becomes a WebSocket behind a request', async () => {
      const user = await db.person();
      const socket = new RawSocket(relay);
      await socket.write(raw('GET', API, { user }));
      assert.equal((await socket.response()).status, 200);
      await socket.write(raw('GET', `${API}/ws`, { user, lines: ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='] }));
      assert.equal((await socket.response()).status, 101);
      socket.destroy();
    });

    it('that ends at any moment leaves nothing behind', async () => {
      const users = await Promise.all(Array.from({ length: 8 }, () => db.person()));
      const descriptors = readdirSync(`/proc/${relay.pid}/fd`).length;
      for (let i = 0; i < 200; i += 1) {
        const request = raw(...[['POST', API, { user: users[i % 8], body: '{"title":"gone"}' }], ['GET', API, { user: users[i % 8] }]][i % 2]);
        const socket = new RawSocket(relay);
        await socket.connected;
        await socket.write(request.slice(0, Math.ceil((request.length * (1 + (i % 5))) / 5)));
        if (i % 3 === 0) await sleep(1);
        socket.destroy();
      }
      await eventually('the sockets to be closed', () => readdirSync(`/proc/${relay.pid}/fd`).length <= descriptors);
      for (const user of users) assert.equal((await call('GET', API, { user })).status, 200, 'no request of theirs is under way');
    });

    it('has a page of megabytes whole, and ends if it sends while it does not take one', async () => {
      const user = await db.person();
      await db.sql(`insert into herald.notifications (user_id, title, message) select $1, 'big', repeat('m', 1500000) || i from generate_series(1, 4) i`, [`u-${user}`]);
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      for (let i = 0; i < 3; i += 1) {
        const page = await call('GET', API, { user, agent });
        assert.deepEqual([page.body.notifications.length, page.body.notifications[0].message.length], [3, 1_500_001]);
      }
      agent.destroy();
      const sends = (slow) => slow.write(raw('GET', API, { user }));
      const leaves = (slow) => slow.socket.end();
      const hex = (port) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
      /** The state of the relay's end, in Linux's numbers; undefined: there is none. */
      const endOf = ({ socket }) => readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
        .find(([, local, remote]) => local === hex(relay.port) && remote === hex(socket.localPort))?.[3];
      for (const also of [sends, leaves]) {
        const answers = () => relay.log().split('method=GET resource=notifications status=200').length;
        const had = answers();
        const slow = new RawSocket(relay, { allowHalfOpen: true });
        slow.socket.pause();
        await slow.connected;
        await slow.write(raw('GET', API, { user }));
        await eventually('its answer to be on its way', () => answers() > had);
        const open = endOf(slow);
        await also(slow);
        await sleep(1_100); // the relay looks at each turn of its loop, and there is one a second at least
        if (also === leaves) await eventually('it to be ended', () => ![open, '08'].includes(endOf(slow))); // CLOSE_WAIT
        slow.socket.resume();
        await slow.end;
        // libwebsockets 4.3 has read what was sent: then it ends behind the answer, which is the only one.
        const [head, more] = slow.data.toString('latin1').split('HTTP/1.1 ').slice(1);
        assert.ok(head && !more, 'one answer at most');
        if (also.name === 'leaves') assert.ok(slow.data.length < 4_400_000, `${slow.data.length} of an answer of 4.5 MB`);
        slow.destroy();
      }
      assert.equal((await call('GET', `${API}?limit=1`, { user })).status, 200);
    });
  });

  describe('limits', () => {
    /** Answers up to the first one of this status. */
    async function until(status, request) {
      const answers = [];
      do answers.push(await request());
      while (answers.at(-1).status !== status && answers.length < 500);
      return answers;
    }

    it('the rate of a user counts requests and the messages of tabs together', async () => {
      const limited = await startRelay(db, { HERALD_RATE_LIMIT_PER_USER: '1/s:6' });
      const [user, other] = [await db.person(), await db.person()];
      const tab = await connect(limited, user);
      const began = performance.now();
      for (let i = 0; i < 3; i += 1) await tab.ping();
      const answers = await until(429, () => call('GET', API, { user }, limited));
      const last = answers.at(-1);
      assert.deepEqual(refused(last), [429, 'rate_limited']);
      assert.ok(last.body.retry_after_ms > 0 && Number(last.headers['retry-after']) >= 1);
      const passed_s = (performance.now() - began) / 1000;
      assert.ok(3 + answers.length - 1 <= 6 + passed_s, `3 pings and ${answers.length} answers in ${passed_s} s`);
      assert.equal((await call('GET', API, { user: other }, limited)).status, 200);
    });

    it('the rate of a connection, failed logins of an address, and connections', async () => {
      const user = await db.person();
      const limited = await startRelay(db, { HERALD_RATE_LIMIT: '1/s:3', HERALD_AUTH_FAILURES_PER_IP: '1/s:4', HERALD_MAX_CONNECTIONS_PER_IP: '60' });
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      assert.ok((await until(429, () => call('GET', API, { user, agent }, limited))).length > 3);
      const told = await until(429, () => call('POST', API, { user, json: { title: 'x' }, agent }, limited));
      assert.deepEqual(refused(told.at(-1)), [429, 'rate_limited'], 'also when there is a body to be read first');
      agent.destroy();
      const failed = await until(429, () => call('GET', API, { token: 'x' }, limited));
      assert.deepEqual([failed[0].body.code, failed.at(-1).body.code], ['token_refused', 'auth_failures']);
      const kept = Array.from({ length: 60 }, () => new RawSocket(limited));
      await Promise.all(kept.map((socket) => socket.write(raw('GET', '/healthz')).then(() => socket.response()))); // kept for 10 s
      assert.deepEqual(refused(await call('GET', API, { user }, limited)), [429, 'address_full']);
      kept.forEach((socket) => socket.destroy());
    });

    it('a relay that is full says so', async () => {
      const user = await db.person();
      const small = await startRelay(db, { HERALD_MAX_CONNECTIONS: '2' });
      const tabs = [await connect(small, user), await connect(small, user)];
      assert.deepEqual(refused(await call('GET', API, { user }, small)), [503, 'at_capacity']);
      tabs.forEach((tab) => tab.close?.());
    });

    it('a row that the application has locked is not waited for', async () => {
      const user = await db.person();
      const path = `${API}/${await db.notify(user, 'x')}`;
      const session = await db.session();
      await session.query('begin');
      await session.query('select from herald.notifications where user_id = $1 for update', [`u-${user}`]);
      const answer = await call('PATCH', path, { user, json: { is_read: true } });
      assert.deepEqual(refused(answer), [503, 'unavailable']);
      await session.query('rollback');
      await session.end();
      assert.equal((await call('PATCH', path, { user, json: { is_read: true } })).status, 200);
    });

    it('with HERALD_AUTH_REJECT=http each answer is the last of its connection', async () => {
      const user = await db.person();
      const strict = await startRelay(db, { HERALD_AUTH_REJECT: 'http' });
      for (const [method, options] of [['GET', {}], ['POST', { json: { title: 'x' } }]]) {
        const answer = await call(method, API, { user, ...options }, strict);
        assert.ok(answer.status < 300);
        assert.equal(answer.headers.connection, 'close');
      }
    });
  });
});
