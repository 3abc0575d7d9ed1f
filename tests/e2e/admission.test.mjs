// Who gets in: limits of connections, of failed logins by address, and of the time and size of a handshake. At the
// limit, below and above; and each is counted. Whose address it is behind a proxy is in proxies.test.mjs.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Client, connect, devToken, outcome } from './lib/client.mjs';
import { account } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { RawSocket, upgradeRequest } from './lib/raw.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually, sleep } from './lib/wait.mjs';

describe('admission', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  describe('connections', () => {
    /** Dials one more; its close code, or 'connected' and the tab. */
    async function dial(relay, user) {
      const tab = new Client(relay, { token: devToken(user) });
      return Promise.race([tab.next('connected').then(() => tab, () => tab.closed), tab.closed]);
    }

    it('HERALD_MAX_CONNECTIONS: the last one gets in, the next is closed with 1013, and a place is free again', async () => {
      const relay = await startRelay(db, { HERALD_MAX_CONNECTIONS: '3' });
      const tabs = [];
      for (let i = 0; i < 3; i += 1) tabs.push(await connect(relay, 'alice'));
      assert.equal((await dial(relay, 'bob')).code, 1013);
      assert.equal((await relay.get('/healthz')).status, 200);
      await tabs[0].close();
      await eventually('a free place', async () => (await dial(relay, 'bob')) instanceof Client);
      await tabs[1].ping();
      assert.ok((await relay.counters()).sessions_closed_at_capacity >= 1);
    });

    it('HERALD_MAX_CONNECTIONS_PER_USER: beyond it 4029, other users are free to come', async () => {
      const relay = await startRelay(db, { HERALD_MAX_CONNECTIONS_PER_USER: '2' });
      const tabs = [await connect(relay, 'alice'), await connect(relay, 'alice')];
      assert.equal((await dial(relay, 'alice')).code, 4029);
      assert.ok((await dial(relay, 'bob')) instanceof Client);
      await tabs[0].close();
      await eventually('a free place', async () => (await dial(relay, 'alice')) instanceof Client);
      await tabs[1].ping();
      assert.ok((await relay.counters()).sessions_closed_too_many_tabs >= 1);
    });

    it('HERALD_MAX_CONNECTIONS_PER_IP: beyond it 4029, other addresses are free to come', async () => {
      const relay = await startRelay(db, { HERALD_MAX_CONNECTIONS_PER_IP: '2' });
      await connect(relay, 'alice');
      const second = await connect(relay, 'bob');
      assert.deepEqual(await dial(relay, 'alice'), { code: 4029, reason: 'too many connections from this address' });
      await connect(relay, 'alice', { socket: { localAddress: '127.0.0.50' } });
      await second.close();
      await eventually('a free place', async () => (await dial(relay, 'alice')) instanceof Client);
      assert.ok((await relay.counters()).sessions_closed_address_full >= 1);
    });

    it('with HERALD_AUTH_REJECT=http the one too many from an address is answered 429', async () => {
      const relay = await startRelay(db, { HERALD_MAX_CONNECTIONS_PER_IP: '2', HERALD_AUTH_REJECT: 'http' });
      await connect(relay, 'alice');
      await connect(relay, 'bob');
      assert.deepEqual(await outcome(relay, { token: devToken('alice') }), { status: 429 });
      assert.equal(await outcome(relay, { token: devToken('alice'), socket: { localAddress: '127.0.0.50' } }), 'connected');
      assert.equal((await relay.counters()).handshakes_refused_429_address_full, 1);
    });

    for (const [what, wait] of [
      ['that wait with half a request', (socket) => socket.write('GET /')],
      ['that are kept alive after an answer', (socket) => socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n').then(() => socket.response())],
    ]) {
      it(`sockets ${what} count too: an address gets 64 more of them, then 429 at once`, async () => {
        const relay = await startRelay(db, { HERALD_MAX_CONNECTIONS_PER_IP: '10' });
        const tab = await connect(relay, 'alice');
        const waiting = Array.from({ length: 73 }, () => new RawSocket(relay));
        await Promise.all(waiting.map(wait));
        const fill = await relay.get('/healthz').then(({ status }) => status, () => 'eof');
        assert.equal(fill, 429, 'the 75th');
        const other = new RawSocket(relay, { localAddress: '127.0.0.50' });
        await other.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
        assert.equal((await other.response()).status, 200, 'another address');
        waiting.pop().destroy();
        await eventually('room for the 74th', async () => (await relay.get('/healthz')).status === 200);
        [...waiting, other].forEach((socket) => socket.destroy());
        await tab.ping();
        assert.ok((await relay.counters()).handshakes_refused_429_address_full >= 1);
      });
    }

    it('sockets that are kept alive count in all: 64 more than HERALD_MAX_CONNECTIONS, then 503 at once', async () => {
      const relay = await startRelay(db, { HERALD_MAX_CONNECTIONS: '5' });
      const tab = await connect(relay, 'alice');
      const kept = Array.from({ length: 68 }, () => new RawSocket(relay));
      await Promise.all(kept.map((socket) => socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n').then(() => socket.response())));
      assert.equal((await relay.get('/healthz')).status, 503, 'the 70th');
      kept.pop().destroy();
      await eventually('room for the 69th', async () => (await relay.get('/healthz')).status === 200);
      kept.forEach((socket) => socket.destroy());
      await tab.ping();
    });
  });

  describe('failed logins', () => {
    const LIMIT = { HERALD_AUTH_FAILURES_PER_IP: '1/s:5' };
    const good = { token: devToken('alice') };
    const fail = (relay, count) => Promise.all(Array.from({ length: count }, () => outcome(relay, { token: 'garbage' })));

    it('as many as HERALD_AUTH_FAILURES_PER_IP are told why; then even good tokens of that address are not looked at', async () => {
      const relay = await startRelay(db, LIMIT);
      const tab = await connect(relay, 'alice');
      assert.deepEqual(await fail(relay, 4), Array(4).fill({ code: 4000 }));
      assert.equal(await outcome(relay, good), 'connected');
      const start = Date.now();
      await fail(relay, 2);
      const refused = new Client(relay, good);
      assert.deepEqual(await refused.closed, { code: 4029, reason: 'too many failed logins from this address' });
      assert.equal(await outcome(relay, { ...good, socket: { localAddress: '127.0.0.50' } }), 'connected');
      await eventually('the address to be forgiven', async () => (await outcome(relay, good)) === 'connected');
      assert.ok(Date.now() - start < 4_000 && Date.now() - start > 700, `${Date.now() - start} ms`);
      await tab.ping();
      const counters = await relay.counters();
      assert.ok(counters.sessions_closed_auth_failures >= 1);
      assert.ok(counters.logins_malformed_token >= 5 && counters.logins_malformed_token <= 6);
    });

    it('with HERALD_AUTH_REJECT=http the answer is 429, to be tried again after a second', async () => {
      const relay = await startRelay(db, { ...LIMIT, HERALD_AUTH_REJECT: 'http' });
      assert.deepEqual(await fail(relay, 4), Array(4).fill({ status: 403 }));
      assert.equal(await outcome(relay, good), 'connected');
      await fail(relay, 2);
      const socket = new RawSocket(relay);
      await socket.write(upgradeRequest(relay, good));
      const { status, head, body } = await socket.response();
      assert.deepEqual([status, body], [429, 'too many failed logins from this address\n']);
      assert.match(head, /^Retry-After: 1$/im);
      await eventually('the address to be forgiven', async () => (await outcome(relay, good)) === 'connected');
      const counters = await relay.counters();
      assert.ok(counters.handshakes_refused_429_auth_failures >= 1);
      assert.ok(counters.handshakes_refused_403_token >= 5 && counters.handshakes_refused_403_token <= 6);
    });

    it('neither unknown users nor other connections are a way around it', async () => {
      const relay = await startRelay(db, LIMIT);
      for (let i = 0; i < 5; i += 1) assert.deepEqual(await outcome(relay, { token: devToken(`nobody${i}`) }), { code: 4000 });
      const results = await Promise.all(Array.from({ length: 20 }, () => outcome(relay, good)));
      assert.ok(results.filter((result) => result.code === 4029).length >= 15, JSON.stringify(results));
      assert.equal((await relay.counters()).logins_unknown_user, 5);
    });

    it('tokens that are refused unread cost no signature', async () => {
      const relay = await startRelay(db, { ...LIMIT, HERALD_AUTH_FAILURES_PER_IP: '1/s:1' });
      for (let i = 0; i < 50; i += 1) await outcome(relay, { token: 'garbage' });
      const { logins_malformed_token: looked_at } = await relay.counters();
      assert.ok(looked_at < 15, `${looked_at} of 50 were looked at`);
    });
  });

  describe('handshakes', { concurrency: true }, () => {
    let relay;
    before(async () => (relay = await startRelay(db)));

    const sized = (size) => {
      const bare = upgradeRequest(relay, { token: devToken('alice'), headers: { 'X-Pad': '' } });
      return bare.replace('X-Pad: ', `X-Pad: ${'x'.repeat(size - bare.length)}`);
    };

    it('a head of 16 KiB passes, a larger one is answered 431', async () => {
      const own = await startRelay(db);
      for (const [size, expected] of [[16_383, 101], [16_384, 101], [16_385, 431], [100_000, 431]]) {
        const socket = new RawSocket(own);
        await socket.write(sized(size));
        assert.equal((await socket.response()).status, expected, `${size} bytes`);
        socket.destroy();
      }
      assert.equal((await own.counters()).handshakes_refused_431_too_large, 2);
    });

    it('one that takes ten seconds is answered 408, one that takes nine passes', async () => {
      const request = upgradeRequest(relay, { token: devToken('alice') });
      const [late, silent, slow] = [new RawSocket(relay), new RawSocket(relay), new RawSocket(relay)];
      await Promise.all([late.write(request.slice(0, -2)), silent.connected, slow.write(request.slice(0, -2))]);
      await sleep(8_500);
      await slow.write(request.slice(-2));
      assert.equal((await slow.response()).status, 101);
      assert.equal((await late.response()).status, 408);
      assert.equal((await silent.response()).status, 408);
      [late, silent, slow].forEach((socket) => socket.destroy());
      assert.equal((await relay.counters()).handshakes_refused_408_too_late, 2);
    });

    it('a relay that is full answers those that crowd its door with 503, without waiting for their request', async () => {
      const full = await startRelay(db, { HERALD_MAX_CONNECTIONS: '1' });
      const tab = await connect(full, 'alice');
      const crowd = Array.from({ length: 80 }, () => new RawSocket(full));
      await Promise.all(crowd.map((socket) => socket.connected));
      assert.match((await crowd.at(-1).response()).head, /^HTTP\/1\.1 503 [^]*^Retry-After: 1\r?$/m);
      crowd.forEach((socket) => socket.destroy());
      await eventually('the way to be free', async () => (await full.get('/healthz')).status === 200);
      await tab.ping();
      assert.ok((await full.counters()).handshakes_refused_503_at_capacity >= 10);
    });

    it('what is refused at the door is counted by its cause', async () => {
      const own = await startRelay(db);
      assert.deepEqual(await outcome(own, { token: devToken('alice'), path: '/nowhere' }), { status: 404 });
      assert.deepEqual(await outcome(own, { token: devToken('alice'), origin: 'https://evil.example' }), { status: 403 });
      const bad = new RawSocket(own);
      await bad.write('GET\r\n\r\n');
      assert.equal((await bad.response()).status, 400);
      const old = new RawSocket(own);
      await old.write(upgradeRequest(own, { token: devToken('alice'), headers: { 'Sec-WebSocket-Version': '8' } }));
      assert.equal((await old.response()).status, 400);
      const counters = await own.counters();
      for (const word of ['404_not_found', '403_origin', '400_bad_request', '400_not_websocket']) assert.equal(counters[`handshakes_refused_${word}`], 1, word);
    });

    it('a process without file descriptors closes what it cannot serve, says so once, and goes on', async () => {
      const poor = await startRelay(db);
      execFileSync('prlimit', ['--pid', String(poor.pid), '--nofile=150'], account);
      const tab = await connect(poor, 'alice');
      const crowd = [];
      while (!/event=out_of_file_descriptors/.test(poor.log())) {
        assert.ok(crowd.length < 400);
        const batch = Array.from({ length: 20 }, () => new RawSocket(poor));
        crowd.push(...batch);
        // Kept alive: an answered request holds its socket, and waits for the next.
        await Promise.all(batch.map((socket) => socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n').then(() => Promise.race([socket.end, socket.response()]))));
      }
      crowd.forEach((socket) => socket.destroy());
      await eventually('it to serve again', async () => (await poor.get('/healthz')).status === 200);
      await tab.ping();
      assert.equal(poor.log().match(/event=out_of_file_descriptors/g).length, 1);
      assert.ok((await poor.counters()).sockets_dropped_out_of_files >= 1);
    });
  });
});
