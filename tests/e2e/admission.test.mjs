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
import { eventually, inTime, sleep } from './lib/wait.mjs';

/** Dials one more; its close code, or 'connected' and the tab. */
async function dial(relay, user) {
  const tab = new Client(relay, { token: devToken(user) });
  return Promise.race([tab.next('connected').then(() => tab, () => tab.closed), tab.closed]);
}

describe('admission', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  describe('connections', () => {
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
    const seconds = () => performance.now() / 1_000;

    /**
     * Fails logins until `refusal` answers something: that even a good one is refused. Whoever stands still meanwhile gives
     * the address a failure back each second; so it may take more of them.
     */
    async function lockOut(relay, refusal) {
      let seen;
      await eventually('a good login to be refused', async () => {
        await fail(relay, 2);
        return (seen = await refusal());
      });
      return seen;
    }

    /** When the address is forgiven; by the last refusal a second may have passed, but not more. */
    async function forgiven(relay) {
      const failed = seconds();
      let refused = failed;
      await eventually('the address to be forgiven', async () => {
        const asked = seconds();
        if ((await outcome(relay, good)) === 'connected') return true;
        refused = asked;
        return false;
      });
      assert.ok(refused - failed < 1.05, `refused after ${refused - failed} s`);
      return seconds();
    }

    /** So many were told why, of five at once and one more a second; who is let in by then has one left. */
    function assertTold(told, began, locked, forgiven) {
      assert.ok(told >= 5 && told <= 5 + locked - began, `${told} in ${locked - began} s`);
      assert.ok(told <= 4 + forgiven - began, `${told}, and forgiven after ${forgiven - began} s`);
    }

    it('as many as HERALD_AUTH_FAILURES_PER_IP are told why; then even good tokens of that address are not looked at', async () => {
      const relay = await startRelay(db, LIMIT);
      const tab = await connect(relay, 'alice');
      const began = seconds();
      assert.deepEqual(await fail(relay, 4), Array(4).fill({ code: 4000 }));
      assert.equal(await outcome(relay, good), 'connected');
      const refusal = await lockOut(relay, async () => {
        const end = await dial(relay, 'alice');
        return end instanceof Client ? null : end;
      });
      const locked = seconds();
      assert.deepEqual(refusal, { code: 4029, reason: 'too many failed logins from this address' });
      assert.equal(await outcome(relay, { ...good, socket: { localAddress: '127.0.0.50' } }), 'connected');
      const again = await forgiven(relay);
      await tab.ping();
      const counters = await relay.counters();
      assert.ok(counters.sessions_closed_auth_failures >= 1);
      assertTold(counters.logins_malformed_token, began, locked, again);
    });

    it('with HERALD_AUTH_REJECT=http the answer is 429, to be tried again after a second', async () => {
      const relay = await startRelay(db, { ...LIMIT, HERALD_AUTH_REJECT: 'http' });
      const began = seconds();
      assert.deepEqual(await fail(relay, 4), Array(4).fill({ status: 403 }));
      assert.equal(await outcome(relay, good), 'connected');
      const { status, head, body } = await lockOut(relay, async () => {
        const socket = new RawSocket(relay);
        await socket.write(upgradeRequest(relay, good));
        const answer = await socket.response();
        if (answer.status !== 101) return answer;
        socket.destroy();
        return null;
      });
      const locked = seconds();
      assert.deepEqual([status, body], [429, 'too many failed logins from this address\n']);
      assert.match(head, /^Retry-After: 1$/im);
      const again = await forgiven(relay);
      const counters = await relay.counters();
      assert.ok(counters.handshakes_refused_429_auth_failures >= 1);
      assertTold(counters.handshakes_refused_403_token, began, locked, again);
    });

    it('neither unknown users nor other connections are a way around it', async () => {
      const relay = await startRelay(db, LIMIT);
      const began = seconds();
      const isRefused = ({ code }) => code === 4029;
      let told = 0;
      let results;
      await eventually('the address to be locked out', async () => {
        const end = await outcome(relay, { token: devToken(`nobody${told}`) });
        if (!isRefused(end)) {
          assert.deepEqual(end, { code: 4000 });
          told += 1;
          return false;
        }
        results = await Promise.all(Array.from({ length: 20 }, async () => ({ end: await outcome(relay, good), at: seconds() })));
        return results.some((result) => isRefused(result.end));
      });
      // Who got in had to wait until a failure was forgotten.
      const early = results.filter(({ end, at }) => !isRefused(end) && (end !== 'connected' || told > 4 + at - began));
      assert.deepEqual(early, [], `${told} since ${began}`);
      assert.ok(told >= 5, String(told));
      assert.equal((await relay.counters()).logins_unknown_user, told);
    });

    it('tokens that are refused unread cost no signature', async () => {
      const relay = await startRelay(db, { ...LIMIT, HERALD_AUTH_FAILURES_PER_IP: '1/s:1' });
      const began = seconds();
      for (let i = 0; i < 50; i += 1) await outcome(relay, { token: 'garbage' });
      const took = seconds() - began;
      const { logins_malformed_token: looked_at } = await relay.counters();
      assert.ok(looked_at <= 1 + took, `${looked_at} of 50 were looked at, in ${took} s`);
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
      const start = performance.now();
      const [late, silent] = [new RawSocket(relay), new RawSocket(relay)];
      await Promise.all([late.write(request.slice(0, -2)), silent.connected]);
      const refused = Promise.all([late, silent].map(async (socket) => {
        assert.equal((await socket.response(20_000)).status, 408);
        assert.ok(performance.now() - start > 9_900, 'not before its time');
      }));
      let slow = 0;
      await inTime(10_000, async () => {
        slow += 1;
        const socket = new RawSocket(relay);
        await socket.write(request.slice(0, -2));
        await sleep(8_500);
        await socket.write(request.slice(-2));
        const { status } = await socket.response();
        socket.destroy();
        assert.equal(status, 101);
      });
      await refused;
      [late, silent].forEach((socket) => socket.destroy());
      const { handshakes_refused_408_too_late: refusals } = await relay.counters();
      assert.ok(refusals >= 2 && refusals <= 1 + slow, `${refusals} refusals, ${slow} slow ones`);
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
