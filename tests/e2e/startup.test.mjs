// Everything an operator gets wrong, each with a clear answer: bad values, a port
// that is taken, keys, passwords, missing migrations, a pooler; and how a relay ends.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { connect, outcome, devToken } from './lib/client.mjs';
import { account, pgherald, scratch } from './lib/env.mjs';
import { jwk, keyFile, newEc, newRsa, newSecret, token } from './lib/jwt.mjs';
import { plainServer } from './lib/fake_postgres.mjs';
import { startPgBouncer } from './lib/pgbouncer.mjs';
import { freePort } from './lib/ports.mjs';
import { Cluster } from './lib/postgres.mjs';
import { assertNoSecrets } from './lib/log.mjs';
import { run } from './lib/program.mjs';
import { spawnRelay, startRelay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

describe('startup', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  /** `pgherald serve` that is expected to give up; `{code, output}`. */
  async function refused(env, args = []) {
    const base = { HERALD_DATABASE_URL: db.url(), HERALD_LISTEN: `127.0.0.1:${await freePort()}`, HERALD_AUTH: 'dev', HERALD_WORKERS: '1' };
    const all = Object.fromEntries(Object.entries({ ...base, ...env }).filter(([, value]) => value !== undefined));
    const { code, output } = await run(pgherald, ['serve', ...args], { env: all, timeout: 15_000 });
    assertNoSecrets(output);
    return { code, output };
  }

  describe('configuration', () => {
    const bad = {
      HERALD_LISTEN: ['8000', 'localhost', '127.0.0.1:0x10', '127.0.0.1:99999', '127.0.0.1:-1', 'unix:', ':', '[::1'],
      HERALD_AUTH: ['none', 'DEV', 'jwt,dev'],
      HERALD_AUTH_REJECT: ['drop', '403'],
      HERALD_ALLOW_DEV_AUTH: ['maybe', '2'],
      HERALD_JWT_ALG: ['none', 'hs256', 'HS255', 'HS256,RS256'],
      HERALD_FEED: ['sometimes', 'NOTIFY'],
      HERALD_WORKERS: ['-1', 'many', '1.5', '1e3', '99999', '0x2', '2 3'],
      HERALD_MAX_CONNECTIONS: ['0', '-5', 'x', '99999999999999999999'],
      HERALD_MAX_CONNECTIONS_PER_USER: ['0', 'x'],
      HERALD_MAX_CONNECTIONS_PER_IP: ['0', 'x'],
      HERALD_MAX_MESSAGE_BYTES: ['0', '-1', '8k', '99999999999'],
      HERALD_QUEUE_BYTES: ['0', '-1', '12q'],
      HERALD_RATE_LIMIT: ['20', '20/s', '0/s:0', '-1/s:5', '20/m:40', 'x/s:y', '20/s:40:60'],
      HERALD_HEARTBEAT: ['0', '-1', '30s', 'x'],
      HERALD_DRAIN_SECONDS: ['-1', 'x', '99999999'],
      HERALD_LOG_LEVEL: ['loud', '7'],
      HERALD_LOG_FORMAT: ['xml', 'JSON'],
      HERALD_DATABASE_URL: ['mysql://x', 'postgresql://relay@host:port/db', 'no keywords here'],
    };
    for (const [name, values] of Object.entries(bad)) {
      it(`a bad ${name} is exit 78 and names variable and value`, async () => {
        for (const value of values) {
          const { code, output } = await refused({ [name]: value });
          assert.equal(code, 78, `${value}: ${output}`);
          assert.ok(output.includes(name), output);
          if (name !== 'HERALD_DATABASE_URL') assert.ok(output.includes(value), output);
        }
      });
    }

    it('a variable that does not exist is exit 78, with the one that was meant', async () => {
      const { code, output } = await refused({ HERALD_MAX_CONECTIONS: '5' });
      assert.equal(code, 78);
      assert.match(output, /HERALD_MAX_CONECTIONS.*HERALD_MAX_CONNECTIONS\b/s);
    });

    it('development tokens are refused on an open address, unless it is said twice', async () => {
      const port = await freePort();
      for (const listen of [`0.0.0.0:${port}`, `[::]:${port}`]) {
        const { code, output } = await refused({ HERALD_LISTEN: listen });
        assert.equal(code, 78, output);
        assert.match(output, /HERALD_ALLOW_DEV_AUTH/);
      }
      const relay = await spawnRelay(db, { HERALD_LISTEN: `0.0.0.0:${port}`, HERALD_ALLOW_DEV_AUTH: 'yes' }, { port });
      await relay.ready();
    });

    it('development tokens are loudly warned about', async () => {
      const relay = await startRelay(db);
      assert.match(relay.log(), /level=warn .*HERALD_AUTH=dev|level=warn .*dev/);
    });

    it('jwt without a key is exit 78', async () => {
      const { code, output } = await refused({ HERALD_AUTH: 'jwt' });
      assert.equal(code, 78);
      assert.match(output, /HERALD_JWT_KEY_FILE/);
    });

    it('the file of --config is read, the environment wins, and a bad line is named', async () => {
      const file = keyFile('# comment\n\nHERALD_WORKERS=2\nHERALD_FEED=poll\n');
      const printed = await run(pgherald, ['serve', '--config', file, '--print-config'], {
        env: { HERALD_FEED: 'notify', HERALD_DATABASE_URL: 'postgresql://relay:s3cret@db.example/x?sslmode=require' },
      });
      assert.equal(printed.code, 0, printed.output);
      assert.match(printed.output, /^HERALD_WORKERS=2\b.*#.*3/m);
      assert.match(printed.output, /^HERALD_FEED=notify\b.*#.*environment/m);
      assert.match(printed.output, /^HERALD_HEARTBEAT=30\b.*#.*default/m);
      assert.ok(!printed.output.includes('s3cret'), 'a password in the output');

      for (const [text, says] of [['HERALD_WORKERS=2\nHERALD_FEED=never\n', /HERALD_FEED.*never/s], ['HERALD_WORKERS 2\n', /1/], ['HERALD_NOPE=1\n', /HERALD_NOPE/]]) {
        const path = keyFile(text);
        const { code, output } = await run(pgherald, ['serve', '--config', path]);
        assert.equal(code, 78, output);
        assert.match(output, says);
        assert.ok(output.includes(path), output);
      }
      const missing = await run(pgherald, ['serve', '--config', '/nonexistent/pgherald.env']);
      assert.equal(missing.code, 78);
      assert.match(missing.output, /\/nonexistent\/pgherald\.env/);
    });

    it('a password in the database URL is in no message', async () => {
      for (const url of ['postgresql://u:s3cret@[h/db', 'host=h password=s3cret nonsense=1', 'postgresql://u@h/db?password=s3cret&nonsense=1']) {
        const { code, output } = await refused({ HERALD_DATABASE_URL: url });
        assert.equal(code, 78, output);
        assert.ok(!output.includes('s3cret'), output);
      }
    });
  });

  describe('keys', () => {
    const jwt = (file, alg = 'HS256') => ({ HERALD_AUTH: 'jwt', HERALD_JWT_KEY_FILE: file, HERALD_JWT_ALG: alg });

    it('an unreadable key file is exit 78 and named', async () => {
      const unreadable = keyFile(newSecret(), 0o000);
      for (const file of ['/nonexistent/key', scratch, unreadable]) {
        if (file === unreadable && account.uid === undefined && process.getuid() === 0) continue;
        const { code, output } = await refused(jwt(file));
        assert.equal(code, 78, output);
        assert.ok(output.includes(file), output);
        assert.match(output, /HERALD_JWT_KEY_FILE/);
      }
    });

    it('a key that is no key for the algorithm is exit 78 and never shown', async () => {
      const pem = (key, type = 'spki') => key.export({ type, format: 'pem' });
      const rsa = newRsa();
      const cases = [
        ['', 'HS256'], ['\n', 'HS256'], ['s3cret-short', 'HS256'], ['s3cret'.repeat(6), 'RS256'], ['s3cret'.repeat(6), 'ES256'],
        [pem(newEc().publicKey), 'RS256'], [pem(rsa.publicKey), 'ES256'], [pem(newRsa(1024).publicKey), 'RS256'],
        [pem(newEc('secp384r1').publicKey), 'ES256'], ['-----BEGIN PUBLIC KEY-----\ns3cret\n-----END PUBLIC KEY-----\n', 'RS256'],
        ['{"keys":[]}', 'RS256'], ['{"keys":', 'RS256'], [JSON.stringify({ keys: [jwk(newRsa(1024).publicKey, { kid: 'a', alg: 'RS256' })] }), 'RS256'],
      ];
      for (const [content, alg] of cases) {
        const { code, output } = await refused(jwt(keyFile(content), alg));
        assert.equal(code, 78, `${alg} ${content.slice(0, 40)}: ${output}`);
        assert.ok(!output.includes('s3cret'), output);
      }
    });

    it('SIGHUP reads the key file again; a bad one leaves the old keys in force', async () => {
      const [old, fresh] = [newSecret(), newSecret()];
      const file = keyFile(old);
      for (const workers of ['1', '2']) {
        writeFileSync(file, old);
        const relay = await startRelay(db, { ...jwt(file), HERALD_WORKERS: workers });
        assert.equal(await outcome(relay, { token: token(old) }), 'connected');
        writeFileSync(file, 'too short');
        relay.program.signal('SIGHUP');
        await eventually('the log to refuse the key', () => /level=error .*key/i.test(relay.log()));
        assert.equal(await outcome(relay, { token: token(old) }), 'connected');
        writeFileSync(file, fresh);
        relay.program.signal('SIGHUP');
        await eventually('the new key', async () => (await outcome(relay, { token: token(fresh) })) === 'connected');
        // That was one worker; another may take a moment longer.
        await eventually('no worker to take the old one', async () => {
          for (let i = 0; i < 8; i += 1) if ((await outcome(relay, { token: token(old) })) === 'connected') return false;
          return true;
        });
        for (let i = 0; i < 4; i += 1) assert.deepEqual(await outcome(relay, { token: token(old) }), { code: 4001 });
        await relay.stop();
      }
    });
  });

  describe('the port', () => {
    for (const workers of ['1', '2']) {
      it(`taken by another program: exit 1 and the address in the message (HERALD_WORKERS=${workers})`, async () => {
        const port = await freePort();
        const server = net.createServer();
        await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
        const { code, output } = await refused({ HERALD_LISTEN: `127.0.0.1:${port}`, HERALD_WORKERS: workers });
        server.close();
        assert.equal(code, 1, output);
        assert.ok(output.includes(String(port)), output);
      });

      it(`taken by another relay: exit 1, the first one keeps serving (HERALD_WORKERS=${workers})`, async () => {
        const relay = await startRelay(db, { HERALD_WORKERS: workers });
        const { code, output } = await refused({ HERALD_LISTEN: `127.0.0.1:${relay.port}`, HERALD_WORKERS: workers });
        assert.equal(code, 1, output);
        assert.ok(output.includes(String(relay.port)), output);
        for (let i = 0; i < 5; i += 1) await connect(relay, 'alice');
      });
    }

    it('an address that is not ours, or a name that does not resolve: exit 1 or 78, and named', async () => {
      for (const listen of ['203.0.113.7:8123', 'no-such-host.invalid:8123', 'unix:/nonexistent/dir/s']) {
        const { code, output } = await refused({ HERALD_LISTEN: listen, HERALD_ALLOW_DEV_AUTH: 'yes' });
        assert.ok([1, 78].includes(code), `${listen}: ${code} ${output}`);
        assert.ok(output.includes(listen.replace(/:8123$/, '')), output);
      }
    });

    it('a unix socket is open to whoever may enter its folder, whatever the umask, the admin port\'s too', async () => {
      const dir = mkdtempSync(join(scratch, 'open-'));
      chmodSync(dir, 0o777);
      const [clients, operators] = ['c', 'o'].map((name) => join(dir, name));
      const relay = await spawnRelay(db, { HERALD_LISTEN: `unix:${clients}`, HERALD_ADMIN_LISTEN: `unix:${operators}` },
        { manager: ['sh', '-c', 'umask 077; exec "$@"', 'sh'] });
      await eventually('it to serve', () => /event=feed_live/.test(relay.log()));
      for (const path of [clients, operators]) assert.equal(statSync(path).mode & 0o777, 0o777, path);
      await relay.stop();
    });

    it('a file that is no socket is said to be in the way, and stays', async () => {
      const path = join(scratch, 'in-the-way');
      writeFileSync(path, 'mine');
      const { code, output } = await refused({ HERALD_LISTEN: `unix:${path}` });
      assert.equal(code, 1, output);
      assert.match(output, /unix:\S+in-the-way: .*a file that is no socket is in the way/);
      assert.equal(readFileSync(path, 'utf8'), 'mine');
    });

    it('a unix socket serves too, also where a dead relay left one', async () => {
      const dir = mkdtempSync(join(scratch, 'sock-'));
      chmodSync(dir, 0o777);
      const path = join(dir, 's');
      for (let i = 0; i < 2; i += 1) {
        const relay = await spawnRelay(db, { HERALD_LISTEN: `unix:${path}` });
        const tab = await eventually('a tab on the socket', () => connect(relay, 'alice').catch(() => null));
        await tab.ping();
        if (i === 0) await relay.kill();
        else await relay.stop();
      }
    });
  });

  describe('the database', () => {
    /** Gives up, or waits with /readyz 503; either way the log says why. */
    async function saysWhy(relay, pattern) {
      await eventually(`the log to say ${pattern}`, () => pattern.test(relay.log()), 15_000)
        .catch((error) => assert.fail(`${error.message}\n${relay.log()}`));
      if (relay.running) {
        const { status } = await relay.get('/readyz').catch(() => ({ status: 'ended' }));
        assert.ok([503, 'ended'].includes(status), String(status));
      }
      if (!relay.running) assert.ok([1, 78].includes(relay.program.status.code), JSON.stringify(relay.program.status));
    }

    it('a wrong password is said, without the password, and a right one later is enough', async () => {
      const admin = await db.session('postgres');
      await admin.query(`create role relay_pw login password 'right' in role herald_relay`);
      const relay = await spawnRelay(db, { HERALD_DATABASE_URL: db.url('relay_pw', { password: 's3cret-wrong' }) });
      await saysWhy(relay, /event=password_refused .*why="check user and password: .*password authentication failed/);
      if (relay.running) {
        await admin.query(`alter role relay_pw password 's3cret-wrong'`);
        await relay.ready(40_000);
      }
      await admin.end();
      await relay.stop();
    });

    it('a server that has no TLS, and a password that is missing, are not called unreachable', async (t) => {
      const url = await plainServer(t);
      for (const [given, pattern] of [
        [`${url}&sslmode=require`, /event=tls_refused .*why="check sslmode, .*server does not support SSL/],
        [db.url('relay_pw'), /event=password_refused .*why="give a password: .*no password supplied/],
      ]) {
        const relay = await spawnRelay(db, { HERALD_DATABASE_URL: given });
        await saysWhy(relay, pattern);
        await relay.stop();
      }
    });

    it('a database without the schema: it says to run pgherald migrate', async () => {
      const empty = await cluster.database({ migrated: false });
      const relay = await spawnRelay(empty);
      await saysWhy(relay, /pgherald migrate/);
      if (relay.running) {
        await empty.migrate();
        await relay.ready(40_000);
        await connect(relay, 'alice');
      }
      await relay.stop();
    });

    it('a database that does not exist is said', async () => {
      const relay = await spawnRelay(db, { HERALD_DATABASE_URL: db.url().replace(`/${db.name}?`, '/no_such_db?') });
      await saysWhy(relay, /no_such_db/);
      await relay.stop();
    });

    it('a role without privileges is said', async () => {
      const admin = await db.session('postgres');
      await admin.query('create role stranger login');
      await admin.end();
      const relay = await spawnRelay(db, { HERALD_DATABASE_URL: db.url('stranger') });
      await saysWhy(relay, /permission denied|herald_relay/);
      await relay.stop();
    });

    it('a role that may only what herald_relay may is enough', async () => {
      const { rows } = await (await db.session('postgres')).query(
        `select rolsuper, rolcreaterole, rolreplication, rolbypassrls from pg_roles where rolname in ('relay', 'herald_relay')`);
      for (const row of rows) assert.deepEqual(new Set(Object.values(row)), new Set(['f']));
      const relay = await startRelay(db);
      await connect(relay, 'alice');
    });

    for (const [name, options] of Object.entries({
      'as it comes': {},
      'that ignores start-up parameters': { ignore: 'extra_float_digits,options,search_path' },
    })) {
      it(`a pooler in transaction mode ${name} is found within seconds: exit 78`, async () => {
        const pooler = await startPgBouncer(cluster, options);
        for (const workers of ['1', '2']) {
          const start = Date.now();
          const { code, output } = await refused({
            HERALD_DATABASE_URL: db.url('relay', { host: pooler.dir, port: pooler.port }), HERALD_WORKERS: workers,
          });
          assert.equal(code, 78, output);
          assert.match(output, /pooler/i);
          assert.ok(Date.now() - start < 10_000);
        }
        pooler.program.signal('SIGKILL');
        await pooler.program.end();
      });
    }

    it('a feed that hears nothing for seconds is not taken for one behind a pooler', async (t) => {
      const feed = { held: [], holds: false, said: '' }; // what comes for it from the moment that its bell is rung
      const server = net.createServer((client) => {
        const database = net.connect(join(cluster.dir, `.s.PGSQL.${cluster.port}`));
        client.once('data', (startup) => {
          if (startup.includes('pgherald feed')) feed.client = client.on('data', (chunk) => (feed.said += chunk.toString('latin1')));
          if (startup.includes('pgherald check')) feed.holds = true;
        });
        client.pipe(database);
        database.on('data', (chunk) => (client === feed.client && feed.holds ? feed.held.push(chunk) : client.write(chunk)));
        for (const [one, other] of [[client, database], [database, client]]) one.on('error', () => {}).on('close', () => other.destroy());
      });
      const port = await freePort();
      await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
      t.after(() => server.close());
      const relay = await spawnRelay(db, { HERALD_DATABASE_URL: `${db.url('relay', { host: '127.0.0.1', port })}&sslmode=disable&gssencmode=disable` });
      await eventually('it to ask', () => {
        assert.ok(relay.running, relay.log());
        return feed.said.includes('select 1') && Buffer.concat(feed.held).includes('check ');
      });
      feed.holds = false;
      for (const chunk of feed.held) feed.client.write(chunk);
      await relay.ready();
      await relay.stop();
    });
  });

  describe('the end', () => {
    for (const workers of ['1', '2']) {
      for (const signal of ['SIGTERM', 'SIGINT']) {
        it(`${signal} ends it with 0 within seconds, clients are told, the port is free (HERALD_WORKERS=${workers})`, async () => {
          const relay = await startRelay(db, { HERALD_WORKERS: workers });
          const tabs = await Promise.all(Array.from({ length: 20 }, () => connect(relay, 'alice')));
          const start = Date.now();
          relay.program.signal(signal);
          const status = await relay.program.end(15_000);
          assert.deepEqual(status, { code: 0, signal: null }, relay.log().slice(-2000));
          assert.ok(Date.now() - start < 12_000, 'drain time and a little');
          for (const tab of tabs) {
            const { code } = await tab.closed;
            assert.ok([1001, 1006].includes(code), String(code));
          }
          await relay.again();
          await connect(relay, 'alice');
        });
      }
    }

    it('clients that do not read or do not answer the close do not hold it up', async () => {
      const relay = await startRelay(db, { HERALD_DRAIN_SECONDS: '1' });
      const tab = await connect(relay, 'alice');
      tab.socket._socket.pause();
      const start = Date.now();
      await relay.stop();
      assert.ok(Date.now() - start < 8_000);
    });

    for (const workers of ['1', '2']) {
      it(`a successor can have the port while the last clients leave (HERALD_WORKERS=${workers})`, async () => {
        const relay = await startRelay(db, { HERALD_WORKERS: workers, HERALD_DRAIN_SECONDS: '20' });
        const tab = await connect(relay, 'alice');
        tab.socket._socket.pause(); // does not answer the close
        relay.program.signal('SIGTERM');
        // Each process of it: a connection that the kernel gives to one that is about to stop would be reset.
        const processes = workers === '1' ? 1 : Number(workers) + 1;
        await eventually('it to stop', () => relay.log().split('event=stopping').length > processes);
        const next = await spawnRelay(db, { HERALD_WORKERS: workers }, { port: relay.port });
        await next.ready();
        assert.ok(relay.running, 'it still waits for its client');
        await connect(next, 'alice');
        tab.socket.terminate();
        assert.deepEqual(await relay.program.end(15_000), { code: 0, signal: null });
      });
    }

    for (const workers of ['1', '2']) {
      it(`SIGTERM again and again does not become its exit status (HERALD_WORKERS=${workers})`, async () => {
        const relay = await startRelay(db, { HERALD_WORKERS: workers });
        await connect(relay, 'alice');
        const end = relay.program.end(15_000);
        while (relay.running) {
          relay.program.signal('SIGTERM');
          await new Promise(setImmediate);
        }
        assert.deepEqual(await end, { code: 0, signal: null });
      });
    }

    it('SIGPIPE and SIGHUP do not end it', async () => {
      const relay = await startRelay(db);
      relay.program.signal('SIGPIPE');
      relay.program.signal('SIGHUP');
      const tab = await connect(relay, 'alice');
      await tab.ping();
      assert.ok(relay.running);
    });

    it('the environment of the process shows a token nowhere: logs of JSON form are clean too', async () => {
      const relay = await startRelay(db, { HERALD_LOG_FORMAT: 'json' });
      await connect(relay, 'alice');
      await outcome(relay, { token: devToken('nobody') });
      await relay.stop();
      const lines = readFileSync(relay.program.logFile, 'utf8').trim().split('\n');
      assert.ok(lines.length > 1);
      for (const line of lines) {
        const event = JSON.parse(line);
        assert.deepEqual(['time', 'level', 'event'].filter((name) => typeof event[name] !== 'string'), [], line);
      }
    });
  });
});
