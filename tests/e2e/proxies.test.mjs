// Whose connection it is: X-Forwarded-For and the PROXY protocol, from trusted proxies (real ones too) and from
// everybody else. What the relay took for the client's address shows in what it limits.
import { after, afterEach, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import https from 'node:https';
import { join } from 'node:path';
import { connect, devToken, outcome } from './lib/client.mjs';
import { patience, scratch } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { PROXY_ADDRESS, startHaproxy, startHaproxyTls, startNginx } from './lib/proxies.mjs';
import { RawSocket, upgradeRequest } from './lib/raw.mjs';
import { PATH, spawnRelay, startRelay } from './lib/relay.mjs';
import { eventually, quickest, sleep, within } from './lib/wait.mjs';

const PROXY = { HERALD_TRUSTED_PROXIES: PROXY_ADDRESS };
const ONE_EACH = { ...PROXY, HERALD_MAX_CONNECTIONS_PER_IP: '1' };

const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** A PROXY header of version 2; `address` is IPv4, or undefined for LOCAL. */
function binaryHeader(address, more = Buffer.alloc(0)) {
  const body = address ? Buffer.concat([Buffer.from([...address.split('.').map(Number), 10, 0, 0, 1, 200, 1, 1, 187]), more]) : more;
  return Buffer.concat([V2_SIGNATURE, Buffer.from([address ? 0x21 : 0x20, address ? 0x11 : 0, body.length >> 8, body.length & 255]), body]);
}

const lineHeader = (address) => Buffer.from(`PROXY TCP4 ${address} 10.0.0.1 51200 443\r\n`);

describe('proxies', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  let dialled = [];

  /** Closes what was dialled: a relay that stops would wait for these to answer its close frames. */
  function hangUp() {
    dialled.forEach((socket) => socket.destroy());
    dialled = [];
  }

  /** Dials from an address of this machine, with a request's own bytes before it if there are any. */
  async function dial(relay, { from = PROXY_ADDRESS, head = Buffer.alloc(0), forwarded, token = devToken('alice'), path } = {}) {
    const socket = new RawSocket(relay, path ? { path, host: undefined, port: undefined } : { localAddress: from });
    dialled.push(socket);
    const lines = [forwarded ?? []].flat().map((value) => `X-Forwarded-For: ${value}\r\n`).join('');
    const request = upgradeRequest(relay, { token }).replace('\r\nUpgrade', `\r\n${lines}Upgrade`);
    await socket.write(Buffer.concat([head, Buffer.from(request)]));
    return socket;
  }

  /** How it ends: 'connected', a close code, an HTTP status, or 'eof'. */
  async function ending(socket) {
    const answer = await socket.response().catch(() => null);
    if (answer?.status !== 101) return answer?.status ?? 'eof';
    const first = await socket.frame();
    return first.opcode === 8 ? first.code : JSON.parse(first.payload.toString()).type;
  }

  const how = async (relay, options) => ending(await dial(relay, options));

  for (const reject of ['close', 'http']) {
    const full = reject === 'http' ? 429 : 4029;

    describe(`X-Forwarded-For, HERALD_AUTH_REJECT=${reject}`, () => {
      let relay;
      before(async () => (relay = await startRelay(db, { ...ONE_EACH, HERALD_AUTH_REJECT: reject })));

      it('from a trusted proxy says whose connection it is', async () => {
        assert.equal(await how(relay, { forwarded: '203.0.113.1' }), 'connected');
        assert.equal(await how(relay, { forwarded: '203.0.113.1' }), full);
        assert.equal(await how(relay, { forwarded: '203.0.113.2' }), 'connected');
        assert.equal(await how(relay, { forwarded: '[2001:db8::1]:4711' }), 'connected');
        assert.equal(await how(relay, { forwarded: '2001:db8::2' }), full, 'the same /64');
        assert.equal(await how(relay, { forwarded: '2001:db8:0:1::2' }), 'connected');
      });

      it('is read from the right: what a client wrote itself before its proxy is not believed', async () => {
        assert.equal(await how(relay, { forwarded: '203.0.113.11' }), 'connected');
        assert.equal(await how(relay, { forwarded: '198.51.100.1, 203.0.113.11' }), full);
        assert.equal(await how(relay, { forwarded: ['198.51.100.1', '203.0.113.11'] }), full);
        assert.equal(await how(relay, { forwarded: ['203.0.113.11', PROXY_ADDRESS] }), full);
        assert.equal(await how(relay, { forwarded: '203.0.113.11, 198.51.100.1' }), 'connected');
      });

      it('without one, or with one that is none, it is the proxy itself', async () => {
        assert.equal(await how(relay), 'connected');
        for (const forwarded of [undefined, 'unknown', '203.0.113.21, garbage', '']) assert.equal(await how(relay, { forwarded }), full, forwarded);
      });

      it('from anybody else is not believed: no limit is escaped, nobody else\'s is used up', async () => {
        const from = '127.0.0.50';
        assert.equal(await how(relay, { from, forwarded: '203.0.113.31' }), 'connected');
        assert.equal(await how(relay, { from, forwarded: '203.0.113.32' }), full);
        assert.equal(await how(relay, { from }), full);
        assert.equal(await how(relay, { forwarded: '203.0.113.31' }), 'connected');
      });

      it('is counted', async () => {
        hangUp();
        const counters = await relay.counters();
        assert.equal(counters[reject === 'http' ? 'handshakes_refused_429_address_full' : 'sessions_closed_address_full'], 11);
      });
    });
  }

  it('failed logins are counted where the proxy says, not against the proxy', async () => {
    for (const reject of ['close', 'http']) {
      const relay = await startRelay(db, { ...PROXY, HERALD_AUTH_REJECT: reject, HERALD_AUTH_FAILURES_PER_IP: '1/s:3' });
      // One more may try each second, and that may just be over: then once more.
      await eventually('the next one to be refused', async () => {
        for (let i = 0; i < 30; i += 1) await how(relay, { forwarded: '203.0.113.1', token: 'garbage' });
        const end = await how(relay, { forwarded: '203.0.113.1' });
        if (end !== 'connected') assert.equal(end, reject === 'http' ? 429 : 4029);
        return end !== 'connected';
      });
      assert.equal(await how(relay, { forwarded: '203.0.113.2' }), 'connected');
      for (let i = 0; i < 30; i += 1) await how(relay, { from: '127.0.0.50', forwarded: '203.0.113.3', token: 'garbage' });
      assert.equal(await how(relay, { forwarded: '203.0.113.3' }), 'connected');
      hangUp();
    }
  });

  it('on a unix socket nobody has an address, unless its peers are trusted proxies', async () => {
    const path = join(scratch, 'proxied.sock');
    const relay = await spawnRelay(db, { HERALD_LISTEN: `unix:${path}`, HERALD_MAX_CONNECTIONS_PER_IP: '1' });
    await eventually('it to listen', () => /event=feed_live/.test(relay.log()));
    for (let i = 0; i < 3; i += 1) assert.equal(await how(relay, { path, forwarded: '203.0.113.1' }), 'connected');
    hangUp();
    await relay.stop();
    const trusting = await spawnRelay(db, { HERALD_LISTEN: `unix:${path}`, HERALD_MAX_CONNECTIONS_PER_IP: '1', HERALD_TRUSTED_PROXIES: 'unix' });
    await eventually('it to listen', () => /event=feed_live/.test(trusting.log()));
    assert.equal(await how(trusting, { path, forwarded: '203.0.113.1' }), 'connected');
    assert.equal(await how(trusting, { path, forwarded: '203.0.113.1' }), 4029);
    for (let i = 0; i < 2; i += 1) assert.equal(await how(trusting, { path }), 'connected');
    hangUp();
  });

  describe('the PROXY protocol', () => {
    let relay;
    before(async () => (relay = await startRelay(db, { ...ONE_EACH, HERALD_PROXY_PROTOCOL: 'yes' })));

    it('says whose connection it is, in both versions', async () => {
      assert.equal(await how(relay, { head: lineHeader('203.0.113.1') }), 'connected');
      assert.equal(await how(relay, { head: binaryHeader('203.0.113.1') }), 4029);
      assert.equal(await how(relay, { head: binaryHeader('203.0.113.2') }), 'connected');
      assert.equal(await how(relay, { head: lineHeader('203.0.113.2') }), 4029);
      assert.equal(await how(relay, { head: binaryHeader('203.0.113.3', Buffer.from([4, 1, 0, ...Buffer.alloc(256)])) }), 'connected', 'TLVs are skipped');
      assert.equal(await how(relay, { head: binaryHeader('203.0.113.1'), forwarded: '203.0.113.99' }), 4029, 'a client is no proxy');
    });

    it('LOCAL and UNKNOWN are the proxy itself, which may still say X-Forwarded-For', async () => {
      assert.equal(await how(relay, { head: binaryHeader() }), 'connected');
      assert.equal(await how(relay, { head: Buffer.from('PROXY UNKNOWN\r\n') }), 4029);
      assert.equal(await how(relay, { head: binaryHeader(), forwarded: '203.0.113.11' }), 'connected');
    });

    it('may come in pieces, and what follows it is not lost', async () => {
      let last = 100; // an address for each, that none waits for another's end
      for (const [i, make] of [lineHeader, (address) => binaryHeader(address, Buffer.alloc(40, 4))].entries()) {
        const { length } = make('203.0.113.100');
        for (const cut of [1, 5, 12, 13, 16, length - 1, length + 1, length + 60]) {
          last += 1;
          const header = make(`203.0.113.${last}`);
          const bytes = Buffer.concat([header, Buffer.from(upgradeRequest(relay, { token: devToken('alice') }))]);
          const socket = new RawSocket(relay, { localAddress: PROXY_ADDRESS });
          await socket.connected;
          socket.socket.setNoDelay(true);
          await socket.write(bytes.subarray(0, cut));
          await sleep(20);
          await socket.write(bytes.subarray(cut));
          assert.equal(await ending(socket), 'connected', `version ${i + 1} cut at ${cut}`);
          socket.destroy();
        }
      }
    });

    it('a trusted proxy without it is closed without a word', async () => {
      assert.equal(await how(relay), 'eof');
      for (const bytes of ['GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n', 'PROXY TCP4 203.0.113.1\r\n', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, '\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c', '\x16\x03\x01']) {
        const socket = new RawSocket(relay, { localAddress: PROXY_ADDRESS });
        await socket.write(Buffer.from(bytes, 'latin1'));
        await within(4_000, () => `the end after ${JSON.stringify(bytes)}`, socket.end); // and not after five seconds
        assert.equal(socket.data.length, 0);
      }
    });

    it('and so is one that does not finish it in five seconds', async () => {
      const start = Date.now();
      const sockets = await Promise.all(['', 'PROXY TCP4 203.0', '\r\n\r\n\0\r\nQUIT\n\x21\x11\0'].map(async (bytes) => {
        const socket = new RawSocket(relay, { localAddress: PROXY_ADDRESS });
        await socket.write(Buffer.from(bytes, 'latin1'));
        return socket;
      }));
      await within(12_000, () => 'the end', Promise.all(sockets.map((socket) => socket.end)));
      assert.ok(Date.now() - start > 4_000, `${Date.now() - start} ms`);
    });

    it('from anybody else it is a bad request; without it they are served as ever', async () => {
      const from = '127.0.0.50';
      for (const head of [lineHeader('203.0.113.31'), binaryHeader('203.0.113.31'), binaryHeader()]) assert.equal(await how(relay, { from, head }), 400);
      hangUp();
      await eventually('them to be gone', async () => (await how(relay, { from })) === 'connected');
      assert.equal(await how(relay, { head: lineHeader('203.0.113.31') }), 'connected');
    });

    it('is counted', async () => {
      hangUp();
      const counters = await relay.counters();
      assert.equal(counters.sockets_dropped_proxy_header, 9);
      assert.equal(counters.handshakes_refused_400_bad_request, 3);
    });

    it('a relay that is stopped lets go of those that wait', async () => {
      const stopped = await startRelay(db, { ...PROXY, HERALD_PROXY_PROTOCOL: 'yes' });
      const socket = new RawSocket(stopped, { localAddress: PROXY_ADDRESS });
      await socket.write('PROXY TCP4');
      await stopped.stop();
      await within(5_000, () => 'the end', socket.end);
    });
  });

  describe('real ones', () => {
    let proxy;
    afterEach(() => proxy?.end());

    const statusOf = (at, path) => new Promise((resolve, reject) => {
      https.get({ host: '127.0.0.1', port: at.port, ca: at.ca, path, agent: false }, (answer) => answer.resume().on('end', () => resolve(answer.statusCode)))
        .on('error', reject);
    });

    /** Two tabs of one address through the proxy, where one is allowed; then nobody may say he is another. */
    async function seesItsClients(relay) {
      const tab = await connect(proxy, 'alice');
      await tab.ping();
      assert.deepEqual(await outcome(proxy, { token: devToken('alice') }), { code: 4029 });
      assert.deepEqual(await outcome(proxy, { token: devToken('alice'), headers: { 'X-Forwarded-For': '203.0.113.1' } }), { code: 4029 });
      assert.equal(await outcome(proxy, { token: devToken('alice'), socket: { localAddress: '127.0.0.50' } }), 'connected');
      await db.notify('alice', 'through a proxy');
      await tab.next('new_notification');
      await tab.close();
      assert.equal((await relay.counters()).sessions_closed_address_full, 2);
    }

    for (const [file, start] of [['nginx.conf', startNginx], ['haproxy.cfg', startHaproxyTls]]) {
      it(`deploy/proxy/${file}: TLS, X-Forwarded-For, and no query in any log`, async () => {
        const relay = await startRelay(db, ONE_EACH);
        proxy = await start(relay);
        await seesItsClients(relay); // which stops it
        assert.notEqual(await outcome(proxy, { token: devToken('nobody-there') }), 'connected');
        await eventually('what was asked for to be logged', () => proxy.logs().split(PATH).length > 5);
        assert.doesNotMatch(proxy.logs(), /token|dummy-jwt/);
      });
    }

    for (const [file, start] of [['nginx.conf', startNginx], ['haproxy.cfg', startHaproxyTls]]) {
      it(`deploy/proxy/${file}: no query in any log when the relay is away`, async () => {
        const gone = await startRelay(db, PROXY);
        await gone.stop();
        for (const relay of file === 'nginx.conf' ? [gone, { path: join(scratch, 'nobody.sock') }] : [gone]) {
          proxy = await start(relay);
          for (const path of [`${PATH}?token=${devToken('alice')}`, `/api/v1/notifications?token=${devToken('alice')}`]) {
            assert.ok((await statusOf(proxy, path)) >= 502);
          }
          await eventually('what was asked for to be logged', () => proxy.logs().split('/api/v1/notifications').length > 2);
          assert.doesNotMatch(proxy.logs(), /token|dummy-jwt/);
          await proxy.end();
        }
      });
    }

    for (const [file, start] of [['nginx.conf', startNginx], ['haproxy.cfg', startHaproxyTls]]) {
      it(`deploy/proxy/${file}: while one of two relays is replaced the other serves everybody, at once`, async () => {
        const relays = [await startRelay(db, PROXY), await startRelay(db, PROXY)];
        proxy = await start(...relays);
        await relays[0].stop();
        const took = await quickest(3, async () => {
          const seen = await Promise.all(Array.from({ length: 10 }, () => outcome(proxy, { token: devToken('alice') })));
          assert.deepEqual([...new Set(seen)], ['connected']);
        });
        assert.ok(took < 1_000 * patience, `${took} ms`);
      });
    }

    it('HAProxy, X-Forwarded-For by option forwardfor', async () => {
      const relay = await startRelay(db, ONE_EACH);
      proxy = await startHaproxy(relay, { mode: 'http', more: 'option forwardfor' });
      await seesItsClients(relay);
    });

    for (const version of ['send-proxy', 'send-proxy-v2']) {
      it(`HAProxy, ${version}, its health checks too`, async () => {
        const relay = await startRelay(db, { ...ONE_EACH, HERALD_PROXY_PROTOCOL: 'yes' });
        proxy = await startHaproxy(relay, { server: `${version} check inter 100ms`, more: 'timeout check 10s\n  option httpchk GET /readyz' });
        await sleep(1_000); // three checks that fail would take the relay out; one that is late has not failed
        await seesItsClients(relay);
        assert.equal((await relay.counters()).sockets_dropped_proxy_header, undefined);
      });
    }
  });
});
