// HERALD_TLS_CERT and HERALD_TLS_KEY: the relay's own TLS, what it accepts, and certificates renewed under open tabs.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { certificate, inDays, redate } from './lib/certificate.mjs';
import { connect, devToken, Mirror, readAll } from './lib/client.mjs';
import { patience, scratch } from './lib/env.mjs';
import { EventStream, openStream, STREAM } from './lib/event_stream.mjs';
import { freePort } from './lib/ports.mjs';
import { Cluster } from './lib/postgres.mjs';
import { RawSocket, upgradeRequest } from './lib/raw.mjs';
import { spawnRelay, startRelay } from './lib/relay.mjs';
import { eventually, sleep, within } from './lib/wait.mjs';

const env = ({ cert, key }) => ({ HERALD_TLS_CERT: cert, HERALD_TLS_KEY: key });
const request = (path, ...fields) => [`GET ${path} HTTP/1.1`, 'Host: relay', ...fields, '', ''].join('\r\n');

/** One TLS handshake: `{protocol, cipher, alpn, name}` of it, or `{error}`. */
function handshake(relay, options = {}) {
  return within(10_000, () => 'a TLS handshake', new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: relay.port, rejectUnauthorized: false, ...options }, () => {
      resolve({ protocol: socket.getProtocol(), cipher: socket.getCipher().name, alpn: socket.alpnProtocol,
        name: socket.getPeerCertificate().subject.CN });
      socket.destroy();
    });
    socket.on('error', (error) => resolve({ error: error.code }));
    socket.on('close', () => resolve({ error: 'closed' }));
  }));
}

describe('TLS', { concurrency: 4 }, () => {
  let cluster;
  let db;
  let files;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    files = certificate('first');
  });
  after(() => cluster?.end());

  for (const workers of ['1', '2']) {
    it(`a tab lives in it, with HERALD_WORKERS=${workers}`, async () => {
      const relay = await startRelay(db, { ...env(files), HERALD_WORKERS: workers });
      const user = await db.person();
      const tabs = [await connect(relay, user), await connect(relay, user)];
      const id = await db.notify(user, 'over TLS');
      for (const tab of tabs) assert.equal((await tab.next('new_notification')).notification.id, id);
      tabs[0].send({ type: 'mark_read', notification_id: id });
      for (const tab of tabs) assert.equal((await tab.next('notification_updated')).notification.is_read, true);
      const large = 'x'.repeat(300_000); // more than a record, and than a socket takes at once
      await db.sql('insert into herald.notifications (user_id, title, message) values ($1, $2, $3)', [`u-${user}`, 'large', large]);
      for (const tab of tabs) assert.equal((await tab.next('new_notification')).notification.message, large);
      assert.equal((await readAll(tabs[1])).length, 2);
      await relay.stop();
      for (const tab of tabs) assert.equal((await tab.closed).code, 1001);
    });
  }

  it('messages that come many in a record, or one in many, are all read', async () => {
    const relay = await startRelay(db, { ...env(files), HERALD_MAX_MESSAGE_BYTES: '65536' });
    const tab = await connect(relay, await db.person());
    for (const size of [8_000, 16_000, 17_000, 60_000]) {
      assert.equal((await tab.ask({ type: 'ping', filler: 'f'.repeat(size) })).type, 'pong');
    }
    tab.socket._socket.cork(); // one write to the socket: records of 16 kB with several messages in each
    for (let i = 0; i < 300; i += 1) tab.send({ type: 'ping', ref: `n${i}`, filler: 'f'.repeat(i) });
    tab.socket._socket.uncork();
    for (let i = 0; i < 300; i += 1) assert.equal((await tab.next('pong')).ref, `n${i}`);
  });

  it('a tab that does not read is caught up', async () => {
    const relay = await startRelay(db, { ...env(files), HERALD_QUEUE_BYTES: '16384' });
    const user = await db.person();
    const [slow, other] = [await connect(relay, user), await connect(relay, user)];
    slow.socket.pause();
    await db.sql(`insert into herald.notifications (user_id, title, message)
                  select $1, k::text, repeat('m', 20000) from generate_series(1, 400) k`, [`u-${user}`]);
    await other.take(400, 'new_notification', undefined, 20_000);
    slow.socket.resume();
    await slow.next('resumed', undefined, 20_000); // its queue was dropped, and read again
    const seen = new Mirror();
    for (const frame of slow.frames) seen.apply(frame);
    for (const row of await readAll(slow)) seen.apply({ notification: row });
    assert.equal(Object.keys(seen.versions()).length, 400);
    assert.equal((await slow.ping()).type, 'pong');
  });

  it('only versions and ciphers that are good enough', async () => {
    const relay = await startRelay(db, env(files));
    const old = { ciphers: 'ALL:@SECLEVEL=0' };
    assert.equal((await handshake(relay)).protocol, 'TLSv1.3');
    assert.equal((await handshake(relay, { maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
    for (const version of ['TLSv1', 'TLSv1.1']) {
      assert.ok((await handshake(relay, { ...old, minVersion: version, maxVersion: version })).error, version);
    }
    for (const ciphers of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305']) {
      assert.equal((await handshake(relay, { ciphers, maxVersion: 'TLSv1.2' })).cipher, ciphers);
    }
    for (const ciphers of ['ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'aNULL:@SECLEVEL=0', 'AES128-GCM-SHA256']) {
      assert.ok((await handshake(relay, { ciphers, maxVersion: 'TLSv1.2' })).error, ciphers);
    }
    assert.equal((await handshake(relay, { ALPNProtocols: ['h2', 'http/1.1'] })).alpn, 'http/1.1');
  });

  it('who speaks no TLS gets no answer', async () => {
    const relay = await startRelay(db, env(files));
    const socket = net.connect({ host: '127.0.0.1', port: relay.port });
    let answer = '';
    socket.on('data', (data) => (answer += data.toString('latin1')));
    socket.on('error', () => {});
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await within(20_000, () => 'the end of a plain connection', new Promise((resolve) => socket.on('close', resolve)));
    assert.doesNotMatch(answer, /HTTP\/1\.1 200/);
    assert.equal((await relay.get('/healthz')).status, 200);
  });

  it('who says nothing is gone after the deadline of the handshake', async () => {
    const relay = await startRelay(db, env(files));
    const silent = net.connect({ host: '127.0.0.1', port: relay.port });
    const halfway = tls.connect({ host: '127.0.0.1', port: relay.port, rejectUnauthorized: false }, () => {
      halfway.write('GET /healthz HTTP/1.1\r\nHost:');
    });
    for (const socket of [silent, halfway]) socket.on('error', () => {});
    await within(30_000, () => 'the end of both', Promise.all([silent, halfway].map(
      (socket) => new Promise((resolve) => socket.resume().on('close', resolve)))));
  });

  it('a renewed certificate is shown from SIGHUP on, and nobody is disconnected', async () => {
    const own = certificate('renewed-0');
    const next = certificate('renewed-1');
    const relay = await startRelay(db, env(own));
    const user = await db.person();
    const tab = await connect(relay, user);
    assert.equal((await handshake(relay)).name, 'renewed-0');

    const reloads = () => relay.log().split('event=reload').length;
    const reload = async () => {
      const before = reloads();
      relay.program.signal('SIGHUP');
      await eventually('the reload', () => reloads() > before);
    };
    const broken = readFileSync(own.cert);
    writeFileSync(own.cert, 'not a certificate');
    await reload();
    await eventually('the refusal', () => /event=reload_failed.*HERALD_TLS_CERT/.test(relay.log()));
    assert.equal((await handshake(relay)).name, 'renewed-0', 'a broken file changes nothing');
    writeFileSync(own.cert, broken);

    copyFileSync(next.cert, own.cert);
    copyFileSync(next.key, own.key);
    await reload();
    await eventually('the new certificate', async () => (await handshake(relay)).name === 'renewed-1');
    await db.notify(user, 'still here');
    assert.equal((await tab.next('new_notification')).notification.title, 'still here');
    assert.ok(await connect(relay, user));
  });

  for (const workers of ['1', '2']) {
    it(`a renewed certificate with a key of another type is the only one shown, with HERALD_WORKERS=${workers}`, async () => {
      const own = certificate(`types-${workers}-ec`);
      const relay = await startRelay(db, { ...env(own), HERALD_WORKERS: workers });
      const sent = ['RSA-PSS+SHA256:RSA+SHA256', 'ECDSA+SHA256', undefined]; // what a client takes: RSA, ECDSA, either
      const shown = () => Promise.all(['TLSv1.2', 'TLSv1.3'].flatMap((maxVersion) => sent.map(async (sigalgs) => (
        await handshake(relay, { maxVersion, sigalgs })).name)));
      for (const type of ['rsa', 'ec', 'rsa']) {
        const name = `types-${workers}-${type}`;
        const next = certificate(name, 2, type);
        if (next.cert !== own.cert) ['cert', 'key'].forEach((file) => copyFileSync(next[file], own[file]));
        relay.program.signal('SIGHUP');
        const only = type === 'rsa' ? [name, undefined, name] : [undefined, name, name];
        await eventually(`${name} and no other`, async () => {
          for (let i = 0; i < 4; i += 1) if ((await shown()).join() !== [...only, ...only].join()) return false;
          return true;
        });
      }
    });
  }

  it('certificates between its own and the root are shown, those of a renewal too', async () => {
    const own = certificate('chained');
    const between = ['between-0', 'between-1'].map((name) => readFileSync(certificate(name).cert, 'utf8'));
    writeFileSync(own.cert, readFileSync(own.cert, 'utf8') + between[0]);
    const relay = await startRelay(db, env(own));
    const shown = () => execFileSync('openssl', ['s_client', '-connect', `127.0.0.1:${relay.port}`, '-showcerts'], { input: '', stdio: 'pipe' })
      .toString().match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g);
    const chain = () => readFileSync(own.cert, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g);
    assert.deepEqual(shown(), chain());
    writeFileSync(own.cert, chain()[0] + between[1] + between[0]);
    relay.program.signal('SIGHUP');
    await eventually('the other chain', () => shown().length === 3);
    assert.deepEqual(shown(), chain());
  });

  for (const workers of ['1', '2']) {
    it(`SIGHUP takes values, keys and certificate together or none of them, with HERALD_WORKERS=${workers}`, async () => {
      const [own, next] = [certificate(`whole-${workers}-0`), certificate(`whole-${workers}-1`)];
      const good = readFileSync(own.cert);
      const file = join(scratch, `whole-${workers}.env`);
      writeFileSync(file, 'HERALD_LOG_LEVEL=info\n');
      const relay = await spawnRelay(db, { ...env(own), HERALD_LOG_LEVEL: undefined, HERALD_WORKERS: workers }, { args: ['--config', file] });
      await relay.ready();
      const lines = (event) => relay.log().split(`event=${event}`).length - 1;
      const unchanged = async () => {
        assert.equal(lines('reloaded'), 0);
        assert.doesNotMatch(relay.log(), /level=debug/);
        for (let i = 0; i < 4; i += 1) assert.equal((await handshake(relay)).name, `whole-${workers}-0`);
      };

      writeFileSync(own.cert, 'not a certificate');
      writeFileSync(file, 'HERALD_LOG_LEVEL=debug\n');
      relay.program.signal('SIGHUP');
      await eventually('the refusal of the certificate', () => /event=reload_failed.*HERALD_TLS_CERT/.test(relay.log()));
      writeFileSync(own.cert, good);
      await unchanged();

      copyFileSync(next.cert, own.cert);
      copyFileSync(next.key, own.key);
      writeFileSync(file, 'HERALD_LOG_LEVEL=loud\n');
      relay.program.signal('SIGHUP');
      await eventually('the refusal of the value', () => /event=reload_failed.*HERALD_LOG_LEVEL/.test(relay.log()));
      await unchanged();
      assert.equal(lines('reload_failed'), 2, 'once each, whatever the number of workers');

      writeFileSync(file, 'HERALD_LOG_LEVEL=debug\n');
      relay.program.signal('SIGHUP');
      await eventually('both', async () => (await handshake(relay)).name === `whole-${workers}-1`);
      await eventually('reloaded', () => lines('reloaded') > 0);
      assert.equal(lines('reload_failed'), 2);
    });
  }

  for (const workers of ['1', '2']) {
    it(`a certificate that clients refuse for its dates is told in the log, once, with HERALD_WORKERS=${workers}`, async () => {
      const own = certificate(`dates-${workers}`);
      const [past, future] = [inDays(-2), inDays(2)]; // once: midnight may come
      redate(own, inDays(-9), past);
      const relay = await spawnRelay(db, { ...env(own), HERALD_WORKERS: workers });
      const warnings = () => [...relay.log().matchAll(/level=warn event=(certificate_\w+) pid=\d+ date=(\S{10})/g)].map(([, name, date]) => `${name} ${date}`);
      const day = (date) => date.toISOString().slice(0, 10);
      const expected = [`certificate_expired ${day(past)}`];
      await eventually('expired', () => warnings().join() === expected.join());
      await eventually('the workers', () => relay.log().split('event=worker_started').length - 1 === Number(workers));
      redate(own, future, inDays(9));
      relay.program.signal('SIGHUP');
      expected.push(`certificate_early ${day(future)}`);
      await eventually('early', () => warnings().join() === expected.join());
      redate(own, inDays(-1), inDays(1));
      const reloads = () => relay.log().split('event=reloaded').length;
      const before = reloads();
      relay.program.signal('SIGHUP');
      await eventually('the reload', () => reloads() > before);
      assert.deepEqual(warnings(), expected);
    });
  }

  it('a worker that dies while the files are broken is tried less and less often, and /readyz names the file', async () => {
    const own = certificate('anew');
    const good = readFileSync(own.cert);
    const admin = await freePort();
    const relay = await startRelay(db, { ...env(own), HERALD_WORKERS: '2', HERALD_ADMIN_LISTEN: `127.0.0.1:${admin}` });
    const readyz = async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).text();
    writeFileSync(own.cert, 'not a certificate');
    process.kill(Number(/event=worker_started pid=(\d+)/.exec(relay.log())[1]), 'SIGKILL');
    await eventually('the reason', async () => /"worker \d: does not start: HERALD_TLS_CERT: \S+anew.crt cannot be used/.test(await readyz()));
    await sleep(3_000);
    const deaths = relay.log().split('event=worker_died').length - 1;
    assert.ok(deaths >= 3 && deaths <= 6, `${deaths} in 3 s`);
    assert.match(relay.log(), /event=bad_configuration.*anew.crt/);
    writeFileSync(own.cert, good);
    await eventually('all to serve again', async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok, 10_000);
  });

  for (const workers of ['1', '2']) {
    it(`a stream lives in it, with HERALD_WORKERS=${workers}`, async () => {
      // Two heartbeats are longer than a busy machine lets this process stand still.
      const relay = await startRelay(db, { ...env(files), HERALD_WORKERS: workers, HERALD_HEARTBEAT: '2' });
      const user = await db.person();
      const [socket, stream, byQuery] = [await connect(relay, user), await openStream(relay, user), await openStream(relay, user, { via: 'query' })];
      assert.equal(stream.response.socket.getProtocol(), 'TLSv1.3');
      const large = 'x'.repeat(300_000); // many records, and more than a socket takes at once
      const [{ id }] = await db.sql('insert into herald.notifications (user_id, title, message) values ($1, $2, $3) returning id::text', [`u-${user}`, 'large', large]);
      for (const one of [stream, byQuery]) assert.equal((await one.next('new_notification')).notification.message, large);
      socket.send({ type: 'mark_read', notification_id: id });
      for (const one of [stream, byQuery]) assert.equal((await one.next('notification_updated')).notification.is_read, true);
      await stream.settle(db, user);
      await byQuery.destroy();
      await db.notify(user, 'missed');
      const back = await openStream(relay, user, { lastEventId: byQuery.lastEventId });
      const told = await back.next('resumed');
      assert.equal(told.resync, undefined);
      assert.equal(back.frames[back.frames.indexOf(told) - 1].notification.title, 'missed');
      await eventually('more comments than one who takes none would get', () => stream.comments > 4, 20_000);
      await db.sql('select herald.disconnect_user($1)', [`u-${user}`]);
      assert.equal((await within(5_000, () => 'the end', stream.ended)).code, 4002);
      assert.equal((await new EventStream(relay, { token: devToken(user), lastEventId: stream.lastEventId }).refusal()).status, 204);
      const last = await openStream(relay, user);
      await relay.stop();
      assert.equal((await last.ended).code, 1001);
    });
  }

  it('a stream over TLS 1.2, as the second request of a connection', async () => {
    const relay = await startRelay(db, env(files));
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, maxVersion: 'TLSv1.2' });
    await new Promise((resolve) => {
      https.get({ host: '127.0.0.1', port: relay.port, ca: relay.ca, path: '/healthz', agent }, (response) => response.resume().on('end', resolve));
    });
    const user = await db.person();
    const stream = await openStream(relay, user, { agent });
    assert.equal(stream.request.reusedSocket, true);
    assert.equal(stream.response.socket.getProtocol(), 'TLSv1.2');
    await db.notify(user, 'hello');
    await stream.next('new_notification');
    await stream.destroy();
    agent.destroy();
  });

  it('a stream is refused over it as without it', async () => {
    const relay = await startRelay(db, { ...env(files), HERALD_ALLOWED_ORIGINS: 'https://app.example.org' });
    for (const [options, status, code] of [
      [{}, 401, 'no_token'],
      [{ token: 'nonsense' }, 401, 'token_refused'],
      [{ token: devToken('nobody') }, 403, 'unknown_user'],
      [{ token: devToken('alice'), origin: 'https://evil.example' }, 403, 'origin_not_allowed'],
    ]) {
      const refusal = await new EventStream(relay, options).refusal();
      assert.equal(refusal.status, status);
      assert.equal(refusal.problem.code, code);
    }
  });

  it('a stream that is not read is caught up, complete and in order, and costs no memory', async () => {
    const relay = await startRelay(db, { ...env(files), HERALD_QUEUE_BYTES: '65536', HERALD_HEARTBEAT: '300' });
    const user = await db.person();
    const [slow, quick] = [await openStream(relay, user), await openStream(relay, user)];
    const before_bytes = relay.heap();
    slow.response.pause();
    for (let i = 0; i < 130; i += 1) { // some may be read again, and beyond 500 everything is
      await db.sql(`insert into herald.notifications (user_id, title, message) values ($1, $2, repeat('m', 100000))`, [`u-${user}`, `t${i}`]);
      await quick.next('new_notification');
    }
    if (patience === 1) assert.ok(relay.heap() - before_bytes < 4 * 1024 * 1024, `${relay.heap() - before_bytes}`);
    slow.response.resume();
    assert.equal((await slow.next('resumed', undefined, 20_000)).resync, undefined);
    await slow.settle(db, user, 20_000);
    const titles = slow.frames.filter((frame) => frame.type === 'new_notification').map((frame) => frame.notification.title);
    assert.deepEqual([...new Set(titles)], Array.from({ length: 130 }, (_, i) => `t${i}`));
    const seen = slow.frames.reduce((state, frame) => state.apply(frame), new Mirror());
    assert.deepEqual(seen.versions(), await db.versions(user));
  });

  it('a stream that takes nothing is ended, one that leaves is noticed at once', async () => {
    const relay = await startRelay(db, { ...env(files), HERALD_QUEUE_BYTES: '16384', HERALD_HEARTBEAT: '1', HERALD_MAX_CONNECTIONS_PER_USER: '1' });
    const user = await db.person();
    const stalled = await openStream(relay, user);
    stalled.response.pause();
    await eventually('its end', async () => {
      await db.sql(`insert into herald.notifications (user_id, title, message) select $1, 'much', repeat('m', 100000) from generate_series(1, 10)`, [`u-${user}`]);
      return /event=session_closed.*reason=stalled/.test(relay.log());
    }, 20_000);
    for (const leave of ['destroy', 'end']) {
      await eventually(`room after ${leave}`, async () => {
        const raw = new RawSocket(relay);
        await raw.write(request(STREAM, `Authorization: Bearer ${devToken(user)}`));
        await eventually('a head', () => raw.data.includes('\r\n\r\n'));
        const isOpen = raw.data.includes(' 200 ');
        raw.socket[leave]();
        return isOpen;
      });
    }
  });

  it('what a client sends during its stream is not read, and costs no processor time', async () => {
    const relay = await startRelay(db, { ...env(files), HERALD_HEARTBEAT: '300' });
    const user = await db.person();
    const begin = request(`${STREAM}?token=${devToken(user)}`);
    const raws = [];
    for (const more of ['', request('/healthz'), 'x'.repeat(15_000), 'x'.repeat(100_000)]) {
      const [atOnce, later] = [new RawSocket(relay), new RawSocket(relay)]; // in its record, as far as that goes; in others
      raws.push(atOnce, later);
      await atOnce.write(begin + more);
      await later.write(begin);
      for (const raw of [atOnce, later]) await eventually('connected', () => raw.data.includes('"type":"connected"'));
      later.socket.write(more);
    }
    const started = relay.cpu();
    await sleep(1_000);
    assert.ok(relay.cpu() - started < 500, `${relay.cpu() - started} ms of processor time in a second of nothing`);
    await db.notify(user, 'hello');
    for (const raw of raws) await eventually('hello', () => raw.data.includes('"title":"hello"'));
    for (const raw of raws) assert.equal(raw.data.toString().split('HTTP/1.1 ').length, 2, 'one response each');
    raws.forEach((raw) => raw.destroy());
  });

  it('HERALD_HSTS: every response of HTTP says so, and none without it', async () => {
    const paths = [['/healthz', 200], ['/readyz', 200], ['/', 200], ['/demo.js', 200], ['/nowhere', 404], ['/api/v1/notifications', 401], ['/', 405, 'POST'],
      ['/api/v1/notifications/read-all', 405], ['/api/v1/notifications', 204, 'OPTIONS'], [STREAM, 401], [STREAM, 204, 'OPTIONS']];
    for (const [settings, value] of [[{ HERALD_HSTS: '31536000' }, 'max-age=31536000'], [{}, undefined]]) {
      const relay = await startRelay(db, { ...env(files), ...settings });
      for (const [path, status, method] of paths) {
        const answer = await relay.get(path, { method });
        assert.equal(answer.status, status, path);
        assert.equal(answer.headers['strict-transport-security'], value, path);
      }
      const stream = await openStream(relay, 'alice');
      assert.equal(stream.response.headers['strict-transport-security'], value);
      const raw = new RawSocket(relay);
      await raw.write(upgradeRequest(relay, { path: '/nowhere' }));
      const { status, head } = await raw.response();
      assert.equal(status, 404);
      assert.equal(/^strict-transport-security: (.*)$/im.exec(head)?.[1], value);
    }
  });

  it('towards PostgreSQL, sslmode=verify-full', async () => {
    const [own, other] = [certificate('postgres'), certificate('not-postgres')];
    const server = await Cluster.start({ ssl: 'on', ssl_cert_file: own.cert, ssl_key_file: own.key,
      listen_addresses: '127.0.0.1', port: await freePort() });
    try {
      const encrypted = await server.database();
      const url = (root) => `${encrypted.url('relay', { host: '127.0.0.1' })}&sslmode=verify-full&sslrootcert=${root.cert}`;
      const home = { HOME: '/nowhere' }; // libpq looks for certificates of its own there
      const relay = await startRelay(encrypted, { ...home, HERALD_DATABASE_URL: url(own) });
      const user = await encrypted.person();
      const tab = await connect(relay, user);
      await encrypted.notify(user, 'encrypted on both sides');
      await tab.next('new_notification');
      assert.deepEqual(await server.admin(`select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid)
                                           where application_name like 'pgherald %'`), [{ ssl: 't' }]);
      const misled = await spawnRelay(encrypted, { ...home, HERALD_DATABASE_URL: url(other) });
      await misled.listening();
    await eventually('the reason', async () => /certificate verify failed/.test((await misled.get('/readyz')).body));
      assert.equal((await misled.get('/readyz')).status, 503);
    } finally {
      await server.end();
    }
  });

  describe('what cannot work is said at the start', () => {
    const other = () => certificate('other');
    for (const [what, change, message] of [
      ['a certificate alone', () => ({ HERALD_TLS_KEY: undefined }), /HERALD_TLS_KEY is not set, but HERALD_TLS_CERT is/],
      ['a key alone', () => ({ HERALD_TLS_CERT: undefined }), /HERALD_TLS_CERT is not set, but HERALD_TLS_KEY is/],
      ['a key of another certificate', () => ({ HERALD_TLS_KEY: other().key }), /HERALD_TLS_KEY: .* cannot be used: .*mismatch/],
      ['a file that is not there', () => ({ HERALD_TLS_CERT: '/nowhere.crt' }), /HERALD_TLS_CERT: \/nowhere.crt cannot be used: it cannot be read/],
      ['a key for a certificate', () => ({ HERALD_TLS_CERT: files.key }), /HERALD_TLS_CERT: .* cannot be used/],
      ['HSTS without TLS', () => ({ HERALD_TLS_CERT: undefined, HERALD_TLS_KEY: undefined, HERALD_HSTS: '300' }), /HERALD_HSTS=300 needs HERALD_TLS_CERT/],
      ['waiting with the handshake', () => ({ HERALD_AUTH_REJECT: 'http' }), /HERALD_AUTH_REJECT=http needs a proxy that does TLS/],
    ]) {
      it(what, async () => {
        const relay = await spawnRelay(db, { ...env(files), ...change() });
        assert.equal((await relay.program.end()).code, 78);
        assert.match(relay.log(), message);
      });
    }
  });
});
