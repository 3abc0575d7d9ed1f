// Who gets in: development tokens and JWTs, good and bad, through all three ways;
// deadlines, expiry while connected, renewal in band, and what a refusal looks like.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { Client, connect, devToken, outcome } from './lib/client.mjs';
import { jwk, keyFile, newEc, newRsa, newSecret, seconds, token, unsignedToken } from './lib/jwt.mjs';
import { Cluster } from './lib/postgres.mjs';
import { pgherald } from './lib/env.mjs';
import { run } from './lib/program.mjs';
import { frame, RawSocket, upgradeRequest } from './lib/raw.mjs';
import { PATH, startRelay } from './lib/relay.mjs';
import { eventually, inTime, sleep, within } from './lib/wait.mjs';

const WAYS = ['frame', 'header', 'query'];

const timeOf = (unix_s) => new Date(unix_s * 1000).toISOString().replace('.000Z', '.000000Z');

describe('authentication', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    await db.addUsers(['disabled']);
    await db.sql(`update herald.users set disabled_at = now() where username = 'disabled'`);
  });
  after(() => cluster?.end());

  describe('development tokens', () => {
    let relay;
    before(async () => (relay = await startRelay(db)));

    for (const via of WAYS) {
      it(`a user's token is accepted by ${via}`, async () => {
        const tab = new Client(relay, { token: devToken('alice'), via });
        const welcome = await tab.next('connected');
        assert.equal(welcome.user_id, 'u-alice');
        await tab.ping();
      });

      it(`tokens that name nobody are refused with 4000 by ${via}`, async () => {
        for (const bad of ['dummy-jwt-for-nobody', 'dummy-jwt-for-disabled', 'dummy-jwt-for-u-alice', 'dummy-jwt-for-ALICE', 'dummy-jwt-for-']) {
          assert.deepEqual(await outcome(relay, { token: bad, via }), { code: 4000 }, bad);
        }
      });

      it(`what is no token at all is refused with 4000 by ${via}`, async () => {
        for (const bad of ['garbage', 'alice', 'Dummy-jwt-for-alice', ' dummy-jwt-for-alice', "dummy-jwt-for-a' or true --", `dummy-jwt-for-${'a'.repeat(65)}`, '%00', 'a.b.c', '..']) {
          if (via === 'header' && /^ /.test(bad)) continue; // HTTP itself trims the field
          assert.deepEqual(await outcome(relay, { token: bad, via }), { code: 4000 }, bad);
        }
      });
    }

    it('a JWT is no development token', async () => {
      assert.deepEqual(await outcome(relay, { token: token(newSecret()) }), { code: 4000 });
    });

    it('an empty token and an empty header do not let anybody in', async () => {
      for (const options of [{ query: 'token=' }, { query: 'token' }, { headers: { Authorization: 'Bearer ' } }, { headers: { Authorization: 'Basic YWxpY2U6' } }]) {
        assert.deepEqual(await outcome(relay, options, 15_000), { code: 4000 }, JSON.stringify(options));
      }
    });

    it('the reason of a refusal says which, and carries nothing of the token', async () => {
      const tab = new Client(relay, { token: 'dummy-jwt-for-s3cretuser' });
      const { code, reason } = await tab.closed;
      assert.equal(code, 4000);
      assert.match(reason, /^[\x20-\x7e]{3,123}$/);
      assert.ok(!reason.includes('s3cretuser'));
    });

    it('until it has logged in a client gets nothing and is told why', async () => {
      for (const first of [{ type: 'ping' }, { type: 'get_unread' }, { type: 'mark_all_read' }, { type: 'nonsense' }]) {
        const tab = new Client(relay);
        await tab.opened;
        tab.send(first);
        const end = await Promise.race([tab.closed, tab.next('error').catch(() => tab.closed)]);
        if (end.type === 'error') assert.ok(['not_authenticated', 'unknown_type'].includes(end.code), end.code);
        else assert.equal(end.code, 4000);
        assert.deepEqual(tab.frames.filter((frame) => frame.type !== 'error'), []);
        tab.socket.terminate();
      }
    });

    it('the first frame may be sent before the handshake is answered, and commands right behind it', async () => {
      const tab = new Client(relay);
      await tab.opened;
      tab.send({ type: 'authenticate', token: devToken('alice'), ref: 'in' });
      tab.send({ type: 'get_unread', ref: 'list' });
      tab.send({ type: 'ping', ref: 'p' });
      assert.equal((await tab.next('connected')).ref, 'in');
      await tab.next('unread_notifications', (frame) => frame.ref === 'list');
      await tab.next('pong', (frame) => frame.ref === 'p');
    });

    it('authenticate without a token, or with one of another type, is no login', async () => {
      for (const fields of [{}, { token: 7 }, { token: null }, { token: ['x'] }, { token: '' }]) {
        const tab = new Client(relay);
        await tab.opened;
        tab.send({ type: 'authenticate', ...fields });
        const end = await Promise.race([tab.closed, tab.next('error').catch(() => tab.closed)]);
        assert.ok(end.type === 'error' || end.code === 4000, JSON.stringify(end));
        assert.deepEqual(tab.frames.filter((frame) => frame.type === 'connected'), []);
        tab.socket.terminate();
      }
    });

    it('again in band: the same user is answered authenticated and stays', async () => {
      const tab = await connect(relay, 'alice');
      const answer = await tab.ask({ type: 'authenticate', token: devToken('alice') });
      assert.deepEqual([answer.type, answer.token_expires_at], ['authenticated', null]);
      await tab.ping();
    });

    it('again in band: another user, a bad token and an unknown user end the connection', async () => {
      for (const bad of [devToken('bob'), 'garbage', devToken('nobody'), devToken('disabled')]) {
        const tab = await connect(relay, 'alice');
        tab.send({ type: 'authenticate', token: bad });
        const { code } = await tab.closed;
        assert.ok([4000, 4001].includes(code), `${bad}: ${code}`);
        assert.deepEqual(tab.frames.filter((frame) => frame.type === 'authenticated'), []);
      }
    });

    it('a user who is disabled can neither come back nor renew', async () => {
      const user = await db.person();
      const tab = await connect(relay, user);
      await db.sql('update herald.users set disabled_at = now() where username = $1', [user]);
      // An answer is remembered for 5 s, unless the table has changed.
      await eventually('the user to be refused', async () => (await outcome(relay, { token: devToken(user) })).code === 4000, 4_000);
      tab.send({ type: 'authenticate', token: devToken(user) });
      assert.equal((await tab.closed).code, 4000);
      await db.sql('update herald.users set disabled_at = null where username = $1', [user]);
      await connect(relay, user);
    });

    it('an application\'s own resolve_user decides', async () => {
      const own = await cluster.database();
      const second = await startRelay(own);
      await own.sql(`create or replace function herald.resolve_user(claims jsonb) returns text
                     language sql stable security definer set search_path = pg_catalog, pg_temp
                     return case when claims ->> 'username' like 'app-%' then 'id of ' || (claims ->> 'username') end`);
      const tab = new Client(second, { token: devToken('app-7') });
      assert.equal((await tab.next('connected')).user_id, 'id of app-7');
      assert.deepEqual(await outcome(second, { token: devToken('alice') }), { code: 4000 });
    });
  });

  describe('ten seconds to log in', { concurrency: true }, () => {
    let relay;
    before(async () => (relay = await startRelay(db)));

    /** The relay's clock began between the dial and its answer; the rest of what is allowed is for a standstill. */
    async function closesInTime(whenOpen = () => {}) {
      const dialled = performance.now();
      const tab = new Client(relay);
      await tab.opened;
      const opened = performance.now();
      whenOpen(tab);
      const { code } = await tab.closed;
      const closed = performance.now();
      assert.equal(code, 4000);
      assert.ok(closed - dialled > 8_900 && closed - opened < 18_000, `${closed - dialled} ms`);
    }

    it('a client that never logs in is closed with 4000', () => closesInTime());

    it('pings do not prolong it', async () => {
      let timer;
      const ping = (tab) => (timer = setInterval(() => tab.socket.ping(), 500));
      await closesInTime(ping).finally(() => clearInterval(timer));
    });

    it('a client that logs in late, but in time, stays', async () => {
      const tab = await inTime(9_000, async () => {
        const late = new Client(relay);
        await late.opened;
        await sleep(7_000);
        late.send({ type: 'authenticate', token: devToken('alice') });
        await late.next('connected');
        return late;
      });
      await sleep(5_000);
      await tab.ping();
    });
  });

  describe('HERALD_AUTH_REJECT=http', () => {
    let relay;
    const secret = newSecret();
    let strict;
    before(async () => {
      relay = await startRelay(db, { HERALD_AUTH_REJECT: 'http' });
      strict = await startRelay(db, {
        HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(secret), HERALD_AUTH_REJECT: 'http', HERALD_WORKERS: '2',
      });
    });

    for (const via of ['header', 'query']) {
      it(`a refused token is answered 403 before the upgrade, by ${via}`, async () => {
        for (const bad of ['garbage', 'dummy-jwt-for-']) {
          assert.deepEqual(await outcome(relay, { token: bad, via }), { status: 403 }, bad);
        }
        for (const bad of [token(newSecret()), token(secret, { exp: seconds() - 100 }), 'garbage']) {
          assert.deepEqual(await outcome(strict, { token: bad, via }), { status: 403 }, bad);
        }
      });

      it(`an unknown or disabled user is answered 403 before the upgrade, by ${via}`, async () => {
        for (const user of ['nobody', 'disabled']) {
          assert.deepEqual(await outcome(relay, { token: devToken(user), via }), { status: 403 }, user);
        }
        assert.deepEqual(await outcome(strict, { token: token(secret, { sub: 'u-nobody' }), via }), { status: 403 });
      });

      it(`a good token is let in, by ${via}`, async () => {
        assert.equal(await outcome(relay, { token: devToken('alice'), via }), 'connected');
        assert.equal(await outcome(strict, { token: token(secret), via }), 'connected');
      });
    }

    it('a missing token is answered 403 too, as the guide says: there is no first frame then', async () => {
      for (const options of [{}, { token: devToken('alice'), via: 'frame' }, { query: 'token=' }, { headers: { Authorization: 'Bearer ' } }]) {
        assert.deepEqual(await outcome(relay, options), { status: 403 }, JSON.stringify(options));
        assert.deepEqual(await outcome(strict, options), { status: 403 }, JSON.stringify(options));
      }
    });

    // Of the ten seconds for a head: after so long the pauses are left out, each of which may take far longer than asked.
    const DRIP_MS = 4_000;

    /** Everything the relay says to these pieces, sent with pauses between, until it ends the connection. */
    async function saidTo(pieces, pause_ms = 0) {
      const socket = new RawSocket(relay);
      await socket.connected;
      socket.socket.setNoDelay(true);
      const start = performance.now();
      for (const piece of pieces) {
        await socket.write(Buffer.from(piece, 'latin1'));
        if (pause_ms && performance.now() - start < DRIP_MS) await sleep(pause_ms);
      }
      await within(15_000, () => `the end; so far: ${socket.data.toString('latin1').slice(0, 500)}`, socket.end);
      const said = socket.data.toString('latin1');
      socket.destroy();
      return said;
    }

    const statusOf = (said) => (said === '' ? 'eof' : Number(/^HTTP\/1\.1 (\d{3}) /.exec(said)?.[1]));

    /** The `connected` frame after a handshake sent in these pieces. */
    async function welcomeTo(pieces, pause_ms) {
      const socket = new RawSocket(relay);
      await socket.connected;
      socket.socket.setNoDelay(true);
      const start = performance.now();
      for (const piece of pieces) {
        await socket.write(piece);
        if (performance.now() - start < DRIP_MS) await sleep(pause_ms);
      }
      assert.equal((await socket.response()).status, 101);
      const { payload } = await socket.frameOf(1);
      socket.destroy();
      return JSON.parse(payload.toString());
    }

    it('a refusal is one whole response that says why, nothing more, and the connection ends', async () => {
      const reasons = {
        'authenticate first': undefined,
        'malformed token': 's3cret',
        'unknown user': 'dummy-jwt-for-s3cretuser',
      };
      for (const [reason, bad] of Object.entries(reasons)) {
        const said = await saidTo([upgradeRequest(relay, { token: bad })]);
        const [head, body] = said.split('\r\n\r\n');
        assert.match(head, /^HTTP\/1\.1 403 Forbidden\r\n/);
        assert.match(head, /^Connection: close$/im);
        assert.match(head, new RegExp(`^Content-Length: ${body.length}$`, 'im'));
        assert.equal(body, `${reason}\n`);
      }
    });

    it('a head in two pieces is one head, wherever it is cut', async () => {
      const good = upgradeRequest(relay, { token: devToken('alice') });
      const bad = upgradeRequest(relay, { token: devToken('nobody') });
      for (const cut of [1, 3, good.indexOf('token=') + 8, good.indexOf('\r\n') + 1, good.length - 4, good.length - 3, good.length - 1]) {
        assert.equal((await welcomeTo([good.slice(0, cut), good.slice(cut)], 30)).user_id, 'u-alice');
        assert.equal(statusOf(await saidTo([bad.slice(0, cut), bad.slice(cut)], 30)), 403);
      }
    });

    it('a head dripped byte by byte is one head, if it is whole in time', async () => {
      assert.equal((await welcomeTo([...upgradeRequest(relay, { token: devToken('alice') })], 2)).user_id, 'u-alice');
      assert.equal(statusOf(await saidTo([...upgradeRequest(relay, { token: devToken('nobody') })], 2)), 403);
    });

    it('frames sent right behind the head, before its answer, are not lost', async () => {
      const socket = new RawSocket(relay);
      const ping = frame('{"type":"ping","ref":"early"}');
      await socket.write(Buffer.concat([Buffer.from(upgradeRequest(relay, { token: devToken('alice') })), ping]));
      assert.equal((await socket.response()).status, 101);
      assert.equal(JSON.parse((await socket.frameOf(1)).payload.toString()).type, 'connected');
      assert.equal(JSON.parse((await socket.frameOf(1)).payload.toString()).ref, 'early');
      socket.destroy();
    });

    it('half a head costs no processor time', async () => {
      const ticks = () => readFileSync(`/proc/${relay.pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13).map(Number).reduce((a, b) => a + b);
      const sockets = Array.from({ length: 20 }, () => new RawSocket(relay));
      await Promise.all(sockets.map((socket) => socket.write(`GET ${PATH} HTTP/1.1\r\nHost: x`)));
      const [start, began] = [ticks(), performance.now()];
      await sleep(1_000);
      const [used, passed_s] = [ticks() - start, (performance.now() - began) / 1_000];
      assert.ok(used < 20 * passed_s, `${used} ticks of 10 ms in ${passed_s} s`);
      sockets.forEach((socket) => socket.destroy());
    });

    it('plain requests are answered as ever, one a connection: no upgrade may hide behind one', async () => {
      for (const [path, status] of [['/healthz', 200], ['/readyz', 200], ['/demo.js', 200], ['/nowhere', 404], [PATH, 400]]) {
        assert.equal((await relay.get(path)).status, status, path);
      }
      for (const method of ['HEAD', 'POST']) assert.ok((await relay.get('/healthz', { method })).status <= 405);
      const plain = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n';
      for (const second of [plain, upgradeRequest(relay), upgradeRequest(relay, { token: devToken('alice') })]) {
        const said = await saidTo([plain + second]);
        assert.match(said, /^HTTP\/1\.1 200 OK\r\n(?:[^\r]+\r\n)*connection: close\r\n(?:[^\r]+\r\n)*\r\nok\n$/i);
        assert.equal(await saidTo([plain, second], 100), said);
      }
    });

    it('no other spelling of the path gets around the doorman', async () => {
      for (const path of [PATH.replace('ws', '%77s'), `/${PATH}`, `/x/..${PATH}`, `${PATH}/.`, `${PATH}/`, '/healthz', '/', `http://x${PATH}`, '*', PATH.slice(1)]) {
        for (const token of [undefined, devToken('alice')]) {
          assert.equal(statusOf(await saidTo([upgradeRequest(relay, { path, token })])), path.startsWith('/') ? 404 : 400, path);
        }
      }
      for (const method of ['get', 'POST', 'HEAD']) {
        const request = upgradeRequest(relay, { token: devToken('alice') }).replace('GET', method);
        assert.equal(statusOf(await saidTo([request])), 404, method);
      }
    });

    it('a head that two readers could read differently is answered 400', async () => {
      const good = upgradeRequest(relay, { token: devToken('alice') });
      const heads = [
        good.replace('Host:', 'Authorization: Bearer a\r\nauthorization: Bearer b\r\nHost:'),
        good.replace('token=', 'token=garbage&token='),
        good.replace('Host:', 'Host :'),
        good.replace('Upgrade: websocket', 'X: y\r\n Upgrade: websocket'),
        good.replaceAll('\r\n', '\n'),
        good.replace('Host:', 'X: a\u0000b\r\nHost:'),
        'GET\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      ];
      for (const head of heads) assert.equal(statusOf(await saidTo([head])), 400, head.slice(0, 200));
    });

    it('a head of 16 KiB passes, a larger one is answered 431', async () => {
      const sized = (size) => {
        const bare = upgradeRequest(relay, { token: devToken('nobody'), headers: { 'X-Pad': '' } });
        return bare.replace('X-Pad: ', `X-Pad: ${'x'.repeat(size - bare.length)}`);
      };
      assert.equal(statusOf(await saidTo([sized(16_384)])), 403);
      assert.equal(statusOf(await saidTo([sized(16_385)])), 431);
      assert.equal(statusOf(await saidTo([sized(200_000)])), 431);
    });

    it('a token of 3.9 kB passes, one beyond 8 kB is answered 403', async () => {
      const long = token(secret, { groups: 'g'.repeat(2800) });
      const huge = token(secret, { groups: 'g'.repeat(6500) });
      for (const via of ['header', 'query']) {
        assert.equal(await outcome(strict, { token: long, via }), 'connected');
        assert.deepEqual(await outcome(strict, { token: huge, via }), { status: 403 });
      }
    });

    it('origins are checked as ever', async () => {
      assert.deepEqual(await outcome(relay, { token: devToken('alice'), origin: 'https://evil.example' }), { status: 403 });
      assert.equal(await outcome(relay, { token: devToken('alice'), origin: `http://127.0.0.1:${relay.port}` }), 'connected');
    });

    it('connections that come and go at every stage leave nothing behind', async () => {
      for (const user of ['alice', 'nobody']) {
        const request = upgradeRequest(relay, { token: devToken(user) });
        for (let i = 0; i < 150; i += 1) {
          const socket = new RawSocket(relay);
          await socket.connected;
          await socket.write(request.slice(0, Math.floor((request.length * (i % 11)) / 10)));
          if (i % 3 === 0) socket.socket.resetAndDestroy?.() ?? socket.destroy();
          else if (i % 3 === 1) socket.socket.end();
          else socket.destroy();
        }
      }
      await eventually('the sockets of the gone to be closed', () => readdirSync(`/proc/${relay.pid}/fd`).length < 60);
      await connect(relay, 'alice');
    });

    it('a full relay answers 503 before the upgrade, and still tells its health', async () => {
      const small = await startRelay(db, { HERALD_AUTH_REJECT: 'http', HERALD_MAX_CONNECTIONS: '2' });
      const tabs = [await connect(small, 'alice'), await connect(small, 'bob')];
      assert.deepEqual(await outcome(small, { token: devToken('alice') }), { status: 503 });
      assert.deepEqual(await outcome(small, {}), { status: 403 });
      assert.equal((await small.get('/healthz')).status, 200);
      const silent = Array.from({ length: 100 }, () => new RawSocket(small));
      await Promise.all(silent.map((socket) => socket.connected));
      assert.match((await silent.at(-1).response()).head, /^HTTP\/1\.1 503 [^]*^Retry-After: 1\r?$/m);
      silent.forEach((socket) => socket.destroy());
      await tabs[0].close();
      await eventually('room', async () => (await outcome(small, { token: devToken('alice') })) === 'connected');
      await tabs[1].ping();
    });

    it('a relay that is stopped lets go of those at its door', async () => {
      const stopped = await startRelay(db, { HERALD_AUTH_REJECT: 'http' });
      const sockets = Array.from({ length: 30 }, () => new RawSocket(stopped));
      const request = upgradeRequest(stopped, { token: devToken('nobody') });
      await Promise.all(sockets.map((socket, i) => socket.write(request.slice(0, Math.floor((request.length * (i % 3)) / 2)))));
      await stopped.stop();
      await Promise.all(sockets.map((socket) => within(2_000, () => 'the end', socket.end)));
    });

    describe('ten seconds for a head', { concurrency: true }, () => {
      async function timesOut(start_with, drip) {
        const socket = new RawSocket(relay);
        const start = performance.now();
        await socket.write(start_with);
        const timer = setInterval(() => socket.socket.write(drip), 300);
        const { status } = await socket.response(18_000).finally(() => clearInterval(timer));
        const took = performance.now() - start;
        assert.equal(status, 408);
        assert.ok(took > 9_900, `${took} ms`);
        await within(5_000, () => 'the end', socket.end);
      }

      it('who says nothing is answered 408', () => timesOut('', ''));
      it('who says half is answered 408', () => timesOut(`GET ${PATH} HTTP/1.1\r\nHost`, ''));
      it('who drips is answered 408', () => timesOut(`GET ${PATH} HTTP/1.1\r\nX: `, 'x'));
    });
  });

  describe('HERALD_AUTH_REJECT=http while PostgreSQL is away', () => {
    let own;
    let relay;
    before(async () => {
      own = await Cluster.start();
      relay = await startRelay(await own.database(), { HERALD_AUTH_REJECT: 'http' });
    });
    after(() => own?.end());

    it('who is to be let in cannot be known: 503, to be tried again; a bad token stays 403', async () => {
      await own.stop();
      const waiting = new RawSocket(relay);
      await waiting.write(upgradeRequest(relay, { token: devToken('alice') }));
      const gone = new RawSocket(relay);
      await gone.write(upgradeRequest(relay, { token: devToken('alice') }));
      assert.deepEqual(await outcome(relay, { token: 'garbage' }), { status: 403 });
      assert.equal((await relay.get('/healthz')).status, 200);
      gone.destroy();
      const { status, head, body } = await waiting.response(15_000);
      assert.deepEqual([status, body], [503, 'database unavailable\n']);
      assert.match(head, /^Retry-After: 1$/im);
      await within(5_000, () => 'the end', waiting.end);
      await own.boot();
      await relay.ready();
      await connect(relay, 'alice');
    });

    it('who waits is let in when it is back in time', async () => {
      await inTime(10_000, async () => { // so long a query waits for the database
        await own.stop('immediate');
        const tab = new Client(relay, { token: devToken('alice') });
        const isIn = tab.next('connected', undefined, 20_000);
        await Promise.allSettled([isIn, sleep(500).then(() => own.boot())]);
        await isIn;
      });
    });

    it('who waits keeps the relay from stopping for HERALD_DRAIN_SECONDS at most', async () => {
      const stopped = await startRelay(own.databases[0], { HERALD_AUTH_REJECT: 'http', HERALD_DRAIN_SECONDS: '1' });
      await own.stop();
      const socket = new RawSocket(stopped);
      await socket.write(upgradeRequest(stopped, { token: devToken('alice') }));
      await sleep(200);
      await stopped.stop();
      await within(2_000, () => 'the end', socket.end);
      await own.boot();
    });
  });

  describe('JWT, HS256', () => {
    const secret = newSecret();
    let relay;
    before(async () => {
      relay = await startRelay(db, { HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(`${secret}\n`) });
    });

    for (const via of WAYS) {
      it(`a good token is accepted by ${via}, and its end is told`, async () => {
        const exp = seconds() + 3600;
        const tab = new Client(relay, { token: token(secret, { exp }), via });
        const welcome = await tab.next('connected');
        assert.equal(welcome.user_id, 'u-alice');
        assert.equal(welcome.token_expires_at, timeOf(exp));
      });

      it(`refusals by ${via}: 4000 for what is no token or names nobody, 4001 for a token that does not hold`, async () => {
        const good = token(secret);
        const [head, body, signature] = good.split('.');
        const cases = {
          'another key': [token(newSecret()), 4001],
          'a changed signature': [`${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`, 4001],
          'a changed payload': [`${head}.${token(secret, { sub: 'u-bob' }).split('.')[1]}.${signature}`, 4001],
          expired: [token(secret, { exp: seconds() - 60 }), 4001],
          'not yet valid': [token(secret, { nbf: seconds() + 120 }), 4001],
          garbage: ['garbage', 4000],
          'two parts': [`${head}.${body}`, 4000],
          'four parts': [`${good}.x`, 4000],
          'not base64url': [`${head}.${body}.+/${signature}`, 4000],
          'a development token': [devToken('alice'), 4000],
          'an unknown user': [token(secret, { sub: 'u-nobody' }), 4000],
          'a disabled user': [token(secret, { sub: 'u-disabled' }), 4000],
        };
        for (const [name, [bad, code]] of Object.entries(cases)) {
          assert.deepEqual(await outcome(relay, { token: bad, via }), { code }, name);
        }
      });
    }

    it('clocks may differ by a little, not by a minute', async () => {
      assert.deepEqual(await outcome(relay, { token: token(secret, { exp: seconds() - 45 }) }), { code: 4001 });
      assert.equal(await outcome(relay, { token: token(secret, { nbf: seconds() + 10 }) }), 'connected');
      assert.deepEqual(await outcome(relay, { token: token(secret, { nbf: seconds() + 60 }) }), { code: 4001 });
    });

    it('a token of 3.9 kB passes by every way, one beyond 8 kB by none', async () => {
      const long = token(secret, { groups: 'g'.repeat(2800) });
      assert.ok(long.length > 3800 && long.length < 4096, String(long.length));
      for (const via of WAYS) assert.equal(await outcome(relay, { token: long, via }), 'connected', via);
      const huge = token(secret, { groups: 'g'.repeat(9000) });
      for (const via of WAYS) {
        const tab = new Client(relay, { token: huge, via });
        const end = await Promise.race([tab.closed, tab.refused]);
        assert.ok(end.status >= 400 || [1006, 1009, 4000, 4001].includes(end.code), `${via}: ${JSON.stringify(end)}`);
        assert.deepEqual(tab.frames, []);
      }
    });

    it('without issuer and audience configured, a token may carry any', async () => {
      assert.equal(await outcome(relay, { token: token(secret, { iss: 'x', aud: ['y', 'z'] }) }), 'connected');
    });

    it('pgherald token makes a token that is accepted', async () => {
      const { code, output } = await run(pgherald, ['token', '--sub', 'u-bob', '--ttl', '1h'], {
        env: { HERALD_JWT_KEY_FILE: relay.env.HERALD_JWT_KEY_FILE },
      });
      assert.equal(code, 0, output);
      const tab = new Client(relay, { token: output.trim() });
      const welcome = await tab.next('connected');
      assert.equal(welcome.user_id, 'u-bob');
      const left = Date.parse(welcome.token_expires_at) / 1000 - seconds();
      assert.ok(left > 3500 && left <= 3600, String(left));
    });
  });

  describe('JWT: issuer and audience', () => {
    const secret = newSecret();
    let relay;
    before(async () => {
      relay = await startRelay(db, {
        HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(secret), HERALD_JWT_ALG: 'HS384',
        HERALD_JWT_ISSUER: 'https://id.example.com/', HERALD_JWT_AUDIENCE: 'pgherald',
      });
    });

    it('both must be there and match, exactly', async () => {
      const iss = 'https://id.example.com/';
      const make = (claims) => token(secret, claims, { alg: 'HS384' });
      for (const good of [{ iss, aud: 'pgherald' }, { iss, aud: ['other', 'pgherald'] }]) {
        assert.equal(await outcome(relay, { token: make(good) }), 'connected', JSON.stringify(good));
      }
      const bad = [
        {}, { iss }, { aud: 'pgherald' }, { iss: 'https://id.example.com', aud: 'pgherald' }, { iss: [iss], aud: 'pgherald' },
        { iss, aud: 'pgheraldx' }, { iss, aud: [] }, { iss, aud: ['other'] }, { iss, aud: { pgherald: 1 } }, { iss, aud: '' },
      ];
      for (const claims of bad) {
        assert.deepEqual(await outcome(relay, { token: make(claims) }), { code: 4001 }, JSON.stringify(claims));
      }
    });
  });

  describe('JWT: public keys', () => {
    const rsa = newRsa();
    const ec = newEc();
    const rotated = newRsa();
    const pem = (key) => key.export({ type: 'spki', format: 'pem' });

    it('RS256 with a PEM file; the public key is no HMAC secret', async () => {
      const relay = await startRelay(db, { HERALD_AUTH: 'jwt', HERALD_JWT_ALG: 'RS256', HERALD_JWT_KEY_FILE: keyFile(pem(rsa.publicKey)) });
      assert.equal(await outcome(relay, { token: token(rsa.privateKey, {}, { alg: 'RS256' }) }), 'connected');
      const bad = {
        'another key': token(rotated.privateKey, {}, { alg: 'RS256' }),
        'HS256 with the public PEM': token(pem(rsa.publicKey), {}, { alg: 'HS256' }),
        'HS256 with the trimmed PEM': token(pem(rsa.publicKey).trim(), {}, { alg: 'HS256' }),
        RS512: token(rsa.privateKey, {}, { alg: 'RS512' }),
        none: unsignedToken(),
      };
      for (const [name, value] of Object.entries(bad)) {
        const end = await outcome(relay, { token: value });
        assert.ok([4000, 4001].includes(end.code), `${name}: ${JSON.stringify(end)}`);
      }
    });

    it('ES256 with a PEM file', async () => {
      const relay = await startRelay(db, { HERALD_AUTH: 'jwt', HERALD_JWT_ALG: 'ES256', HERALD_JWT_KEY_FILE: keyFile(pem(ec.publicKey)) });
      for (let i = 0; i < 10; i += 1) { // signatures begin with a zero now and then
        assert.equal(await outcome(relay, { token: token(ec.privateKey, { jti: String(i) }, { alg: 'ES256' }) }), 'connected');
      }
      assert.deepEqual(await outcome(relay, { token: token(newEc().privateKey, {}, { alg: 'ES256' }) }), { code: 4001 });
    });

    it('a JWK set: each key by its kid, with its own algorithm', async () => {
      const set = { keys: [
        jwk(rsa.publicKey, { kid: 'rsa-1', alg: 'RS256' }),
        jwk(rotated.publicKey, { kid: 'rsa-2', alg: 'RS256' }),
        jwk(ec.publicKey, { kid: 'ec-1', alg: 'ES256' }),
      ] };
      for (const workers of ['1', '2']) {
        const relay = await startRelay(db, {
          HERALD_AUTH: 'jwt', HERALD_JWT_ALG: 'RS256', HERALD_JWT_KEY_FILE: keyFile(JSON.stringify(set)), HERALD_WORKERS: workers,
        });
        const signed = (key, alg, kid) => token(key.privateKey, {}, { alg, header: { kid } });
        for (const [key, alg, kid] of [[rsa, 'RS256', 'rsa-1'], [rotated, 'RS256', 'rsa-2'], [ec, 'ES256', 'ec-1']]) {
          assert.equal(await outcome(relay, { token: signed(key, alg, kid) }), 'connected', kid);
        }
        for (const [key, alg, kid] of [[rsa, 'RS256', 'rsa-2'], [rsa, 'RS256', 'ec-1'], [ec, 'ES256', 'rsa-1'], [rsa, 'RS256', 'unknown'], [ec, 'ES256', '../ec-1'], [rsa, 'RS256', 7]]) {
          const end = await outcome(relay, { token: signed(key, alg, kid) });
          assert.ok([4000, 4001].includes(end.code), `${alg} ${kid}: ${JSON.stringify(end)}`);
        }
        await relay.stop();
      }
    });
  });

  describe('expiry while connected', { concurrency: true }, () => {
    const secret = newSecret();
    const relays = [];
    before(async () => {
      for (const workers of ['1', '2']) {
        relays.push(await startRelay(db, { HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: keyFile(secret), HERALD_WORKERS: workers }));
      }
    });

    for (const i of [0, 1]) {
      it(`a token with seconds to live: token_expiring at once, 4001 at its end (relay ${i})`, async () => {
        const exp = seconds() + 10;
        const tab = new Client(relays[i], { token: token(secret, { exp }) });
        await tab.next('connected');
        await assertWarning(tab, exp, 10);
        const { code } = await tab.closed;
        assert.equal(code, 4001);
        assertEnded(exp);
        assert.equal(tab.frames.filter((frame) => frame.type === 'token_expiring').length, 1);
      });

      it(`a renewal in band is answered authenticated and outlives the old token (relay ${i})`, async () => {
        const exp = seconds() + 10;
        const tab = new Client(relays[i], { token: token(secret, { exp }), via: 'frame' });
        await tab.next('connected');
        await assertWarning(tab, exp, 10);
        const renewed = exp + 3600;
        const answer = await tab.ask({ type: 'authenticate', token: token(secret, { exp: renewed }) });
        assert.deepEqual([answer.type, answer.token_expires_at], ['authenticated', timeOf(renewed)]);
        await sleep((exp + 3) * 1_000 - Date.now());
        await tab.ping();
        assert.equal(tab.closing, null);
      });

      it(`a renewal may also shorten: the newest token counts (relay ${i})`, async () => {
        const tab = new Client(relays[i], { token: token(secret, { exp: seconds() + 3600 }) });
        await tab.next('connected');
        const exp = seconds() + 10;
        await tab.ask({ type: 'authenticate', token: token(secret, { exp }) });
        await assertWarning(tab, exp, 10);
        assert.equal((await tab.closed).code, 4001);
        assertEnded(exp);
      });
    }

    /** It comes soon, no more than `before_s` before the end, and says how much is left: now, or when it was sent. */
    async function assertWarning(tab, exp, before_s, timeout_ms) {
      const { expires_in } = await tab.next('token_expiring', undefined, timeout_ms);
      const left = exp - Date.now() / 1000;
      assert.ok(expires_in <= before_s && expires_in > left - 1.5, `${expires_in} s, with ${left} s left`);
      assert.ok(left < before_s + 1, `${left} s before the end`);
    }

    /** Now, or a while ago if somebody stood still; but without the leeway of 30 s that tokens have when they are shown. */
    function assertEnded(exp) {
      const late = Date.now() / 1000 - exp;
      assert.ok(late > -1 && late < 20, `${late} s after its end`);
    }

    it('a token with more than a minute to live is not warned about at once', async () => {
      const tab = new Client(relays[0], { token: token(secret, { exp: seconds() + 90 }) });
      await tab.next('connected');
      await sleep(2_000);
      assert.deepEqual(tab.left('token_expiring'), []);
    });

    it('token_expiring comes 60 s before the end', async () => {
      const exp = seconds() + 64;
      const tab = new Client(relays[0], { token: token(secret, { exp }) });
      await tab.next('connected');
      await assertWarning(tab, exp, 60, 15_000);
      assert.ok(exp - Date.now() / 1000 > 45, 'no later than a standstill would explain');
    });
  });

  it('the guide\'s path is the only one: a token elsewhere opens nothing', async () => {
    const relay = await startRelay(db);
    for (const path of ['/', '/ws', `${PATH}/`, `${PATH}x`, `/x${PATH}`, PATH.toUpperCase(), '/api/v1/notifications', `${PATH}/../ws2`]) {
      assert.deepEqual(await outcome(relay, { token: devToken('alice'), path }), { status: 404 }, path);
    }
  });
});
