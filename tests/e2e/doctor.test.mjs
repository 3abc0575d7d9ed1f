// `pgherald doctor`: what an operator gets wrong is found, named, and comes with its remedy; what is right is not blamed.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdtempSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { connect } from './lib/client.mjs';
import { account, pgherald, scratch } from './lib/env.mjs';
import { plainServer, tlsServer } from './lib/fake_postgres.mjs';
import { keyFile, newSecret } from './lib/jwt.mjs';
import { assertNoSecrets } from './lib/log.mjs';
import { startPgBouncer } from './lib/pgbouncer.mjs';
import { certificate, inDays, redate } from './lib/certificate.mjs';
import { freePort } from './lib/ports.mjs';
import { Cluster } from './lib/postgres.mjs';
import { run } from './lib/program.mjs';
import { spawnRelay, startRelay } from './lib/relay.mjs';
import { eventually } from './lib/wait.mjs';

const CHECKS = ['configuration', 'keys', 'TLS', 'listening', 'admin port', 'connection', 'version', 'primary', 'pooler', 'clocks', 'connections', 'migrations',
  'privileges', 'rows', 'triggers', 'users', 'bell queue', 'feed'];

describe('doctor', () => {
  let cluster;
  let db;
  let key;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
    key = keyFile(newSecret(), 0o600);
    if (account.uid !== undefined) chownSync(key, account.uid, account.gid);
    const admin = await db.session('postgres');
    await admin.query(`create role stranger login; create role mighty login superuser;
      create role relay_pw login password 'right' in role herald_relay; create role narrow login in role herald_relay connection limit 3;
      create role twofold login in role herald_relay, herald_app`);
    await admin.end();
  });
  after(() => cluster?.end());

  /** A pooler until the end of the test: where it is. */
  async function pooled(t, options) {
    const pooler = await startPgBouncer(cluster, options);
    t.after(() => {
      pooler.program.signal('SIGKILL');
      return pooler.program.end();
    });
    return { host: pooler.dir, port: pooler.port };
  }

  /** Runs it; `{code, output, lines}`, lines by check: `{verdict, text}`. */
  async function doctor(env = {}, args = []) {
    const all = {
      HERALD_DATABASE_URL: db.url(), HERALD_JWT_KEY_FILE: key, HERALD_WORKERS: '1', HERALD_LISTEN: `127.0.0.1:${await freePort()}`, ...env,
    };
    for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
    const { code, output } = await run(pgherald, ['doctor', ...args], { env: all, timeout: 60_000 });
    assertNoSecrets(output);
    const lines = {};
    const rows = output.trimEnd().split('\n');
    for (const row of rows.slice(0, -1)) {
      const [, verdict, check, text] = /^(ok|WARN|FAIL|skip) +(.{13})  (.+)$/.exec(row) ?? assert.fail(output);
      lines[check.trimEnd()] = { verdict, text };
    }
    assert.deepEqual(Object.keys(lines), CHECKS, output);
    const count = (verdict) => Object.values(lines).filter((line) => line.verdict === verdict).length;
    assert.equal(rows.at(-1), `${count('ok')} ok, ${count('WARN')} warned, ${count('FAIL')} failed, ${count('skip')} skipped`);
    assert.equal(code, count('FAIL') ? 1 : 0, output);
    return { code, output, lines };
  }

  /** Exactly these checks do not pass: `{check: code}`; those that are skipped need not be named. */
  async function finds(expected, env) {
    const { output, lines } = await doctor(env);
    const found = Object.entries(lines).filter(([, { verdict }]) => verdict === 'WARN' || verdict === 'FAIL')
      .map(([check, { text }]) => [check, text.split(':')[0]]);
    assert.deepEqual(Object.fromEntries(found), expected, output);
    return lines;
  }

  it('a good set-up has nothing but ok, beside relays that serve, and takes nothing from them', async () => {
    const relay = await startRelay(db);
    const tab = await connect(relay, 'alice');
    const before = await db.sql('select * from herald.state');
    const { output, lines } = await doctor();
    assert.ok(Object.values(lines).every(({ verdict }) => verdict === 'ok'), output);
    assert.match(lines.connections.text, /Relays connected now: 1$/);
    assert.deepEqual(await db.sql('select * from herald.state'), before);
    await eventually('its connections to be gone', async () => (await db.backends('pgherald doctor')).length === 0);
    const id = await db.notify('alice', 'hello');
    await tab.next('new_notification', (frame) => frame.notification.id === id);
    await relay.stop();
  });

  it('a session pooler is no fault', async (t) => {
    const lines = await finds({}, { HERALD_DATABASE_URL: db.url('relay', await pooled(t, { poolMode: 'session' })) });
    assert.match(lines.pooler.text, /there is one/);
  });

  it('a transaction pooler is found, and nothing is left behind in its connections', async (t) => {
    const place = await pooled(t);
    const lines = await finds({ pooler: 'transaction_pooler', feed: 'transaction_pooler' }, { HERALD_DATABASE_URL: db.url('relay', place) });
    assert.match(lines.pooler.text, /direct connection, or a pool in session mode/);
    const next = new pg.Client({ ...place, user: 'relay', database: db.name });
    await next.connect();
    const { rows } = await next.query(`select current_setting('statement_timeout') as timeout, current_setting('enable_seqscan') as scan,
      (select count(*)::int from pg_listening_channels()) as listening`);
    await next.end();
    assert.deepEqual(rows, [{ timeout: '0', scan: 'on', listening: 0 }]);
  });

  it('a standby is found', async () => {
    const standby = await cluster.standby();
    const lines = await finds({ primary: 'not_primary' }, { HERALD_DATABASE_URL: db.url('relay', { host: standby.dir }) });
    assert.equal(lines.feed.verdict, 'skip');
    await standby.stop();
  });

  it('a database that is read-only by its settings is found', async () => {
    await cluster.admin(`alter role relay in database ${db.name} set default_transaction_read_only = on`);
    try {
      await finds({ primary: 'not_primary' });
    } finally {
      await cluster.admin(`alter role relay in database ${db.name} reset default_transaction_read_only`);
    }
  });

  describe('the addresses that serve would listen at', () => {
    const sockets = () => mkdtempSync(join(scratch, 'sockets-'));

    it('one of another machine, and a folder that is missing or not to be written: what serve would end with', async () => {
      const folder = sockets(); // root's, if the servers' account is another one
      chmodSync(folder, 0o555);
      const cases = {
        '192.0.2.1:8000': /no interface of this machine has this address/,
        '[2001:db8::1]:8000': /cannot listen on/,
        [`unix:${scratch}/no/such/socket`]: /No such file or directory; its folder must be there/,
        [`unix:${folder}/relay.sock`]: /Permission denied; its folder must be there, and be writable/,
      };
      for (const [address, why] of Object.entries(cases)) {
        const lines = await finds({ listening: 'cannot_listen', 'admin port': 'cannot_listen' },
          { HERALD_LISTEN: address, HERALD_ADMIN_LISTEN: `${address.slice(0, -1)}1` });
        for (const [check, variable] of [['listening', 'HERALD_LISTEN'], ['admin port', 'HERALD_ADMIN_LISTEN']]) {
          assert.equal(lines[check].verdict, 'FAIL');
          assert.match(lines[check].text, why);
          assert.ok(lines[check].text.startsWith(`cannot_listen: ${variable}: `), lines[check].text);
        }
        const { code, output } = await run(pgherald, ['serve'], { env: { HERALD_AUTH: 'dev', HERALD_ALLOW_DEV_AUTH: 'yes', HERALD_LISTEN: address } });
        assert.equal(code, 1, output);
        assert.match(output, /event=cannot_listen/);
      }
    });

    it('a port that another program has is warned of, and that program is not disturbed', async (t) => {
      const server = net.createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 404 Not Found\r\n\r\n'));
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
      t.after(() => server.close());
      const address = `127.0.0.1:${server.address().port}`;
      for (const [check, variable] of [['listening', 'HERALD_LISTEN'], ['admin port', 'HERALD_ADMIN_LISTEN']]) {
        const lines = await finds({ [check]: 'cannot_listen' }, { [variable]: address });
        assert.equal(lines[check].verdict, 'WARN');
        assert.match(lines[check].text, /is in use; that is right if this relay is running/);
      }
    });

    const tls = () => {
      const { cert, key } = certificate('doctor-listening', 30);
      return { HERALD_TLS_CERT: cert, HERALD_TLS_KEY: key };
    };
    const relays = {
      'a port': () => ({}),
      'ports shared by workers, and an admin port': async () => ({ HERALD_WORKERS: '2', HERALD_ADMIN_LISTEN: `127.0.0.1:${await freePort()}` }),
      'a unix socket': () => {
        const folder = sockets();
        if (account.uid !== undefined) chownSync(folder, account.uid, account.gid);
        return { HERALD_LISTEN: `unix:${folder}/relay.sock` };
      },
      'TLS': tls,
      'the PROXY protocol': () => ({ HERALD_PROXY_PROTOCOL: 'yes', HERALD_TRUSTED_PROXIES: '10.0.0.1' }),
    };
    for (const [name, settings] of Object.entries(relays)) {
      it(`a relay that serves is right to have them: ${name}; it goes on`, async () => {
        const env = await settings();
        const relay = await startRelay(db, env);
        const there = { ...env, HERALD_LISTEN: relay.env.HERALD_LISTEN, HERALD_WORKERS: '1' };
        const lines = await finds({}, there);
        assert.equal(lines.listening.text, `a relay answers at ${relay.env.HERALD_LISTEN}`);
        if (env.HERALD_ADMIN_LISTEN) assert.equal(lines['admin port'].text, `a relay answers at ${env.HERALD_ADMIN_LISTEN}`);
        await relay.ready();
        if (relay.socketPath) {
          await relay.kill(); // its file is left over, and nobody's
          assert.match((await finds({}, there)).listening.text, /is free$/);
          assert.ok(existsSync(relay.socketPath));
          await relay.again();
        }
        await relay.stop();
      });
    }

    it('a port where each connection is a trusted proxy\'s is asked as by one', async () => {
      const env = { HERALD_PROXY_PROTOCOL: 'yes', HERALD_TRUSTED_PROXIES: '127.0.0.1' };
      const relay = await spawnRelay(db, env);
      await eventually('it to serve', () => /event=serving/.test(relay.log()));
      const lines = await finds({}, { ...env, HERALD_LISTEN: relay.env.HERALD_LISTEN });
      assert.equal(lines.listening.text, `a relay answers at ${relay.env.HERALD_LISTEN}`);
      await relay.stop();
    });
  });

  describe('the connection', () => {
    const cases = {
      'nobody answers': ['database_unreachable', () => 'postgresql:///x?host=/nonexistent'],
      'a wrong password': ['password_refused', () => db.url('relay_pw', { password: 's3cret-wrong' })],
      'no password': ['password_refused', () => db.url('relay_pw')],
      'no TLS': ['tls_refused', async (t) => `${await plainServer(t)}&sslmode=require`],
      'a certificate that is not trusted': ['tls_refused', async (t) =>
        `${await tlsServer(t, certificate('untrusted'))}&sslmode=verify-ca&sslrootcert=${certificate('trusted').cert}`],
      'a certificate for another name': ['tls_refused', async (t) => {
        const files = certificate('another');
        return `${await tlsServer(t, files)}&host=db.example&sslmode=verify-full&sslrootcert=${files.cert}`;
      }],
      'a root certificate that is not there': ['tls_refused', async (t) =>
        `${await tlsServer(t, certificate('unseen'))}&sslmode=verify-ca&sslrootcert=/nonexistent/root.crt`],
      'a database that does not exist': ['no_database', () => db.url().replace(`/${db.name}?`, '/no_such_db?')],
      'a role that does not exist': ['login_refused', () => db.url('nobody_at_all')],
    };
    for (const [name, [code, url]] of Object.entries(cases)) {
      it(`${name}: ${code}, and what needs it is skipped`, async (t) => {
        const lines = await finds({ connection: code }, { HERALD_DATABASE_URL: await url(t) });
        assert.equal(Object.values(lines).filter(({ verdict }) => verdict === 'skip').length, CHECKS.length - 6);
      });
    }

    it('few connections left are warned of', async () => {
      const lines = await finds({ connections: 'too_many_connections' }, { HERALD_DATABASE_URL: db.url('narrow'), HERALD_WORKERS: '4' });
      assert.equal(lines.connections.verdict, 'WARN');
    });
  });

  describe('the schema', () => {
    it('missing: schema_missing', async () => {
      const empty = await cluster.database({ migrated: false });
      const lines = await finds({ migrations: 'schema_missing' }, { HERALD_DATABASE_URL: empty.url() });
      assert.match(lines.migrations.text, /Run `pgherald migrate`/);
      for (const check of ['privileges', 'rows', 'triggers', 'users', 'feed']) assert.equal(lines[check].verdict, 'skip');
    });

    it('older than the program: schema_old', async () => {
      const old = await cluster.database();
      await old.sql('delete from herald.migrations where id = (select max(id) from herald.migrations)');
      await finds({ migrations: 'schema_old' }, { HERALD_DATABASE_URL: old.url() });
    });

    it('rows of another cluster, by its record foreign_rows; by their transaction ids: future_rows; each remedy helps', async () => {
      const restored = await cluster.database();
      await restored.sql('update herald.state set system_identifier = 1');
      const lines = await finds({ rows: 'foreign_rows', feed: 'feed_fails' }, { HERALD_DATABASE_URL: restored.url() });
      assert.match(lines.rows.text, /another cluster.*Run `pgherald migrate`/);
      await restored.migrate();
      await finds({}, { HERALD_DATABASE_URL: restored.url() });

      await restored.notify('alice', 'from the future');
      await restored.sql(`alter table herald.notifications disable trigger zz_stamp`);
      await restored.sql(`update herald.notifications set xid = '999999999999'`);
      await restored.sql(`alter table herald.notifications enable always trigger zz_stamp`);
      const future = await finds({ rows: 'future_rows' }, { HERALD_DATABASE_URL: restored.url() });
      assert.match(future.rows.text, /select herald.restamp\(\)$/);
      await restored.sql('select herald.restamp()');
      await finds({}, { HERALD_DATABASE_URL: restored.url() });
    });

    it('a trigger that was disabled, not always enabled, or dropped: trigger_off names it', async () => {
      const broken = await cluster.database();
      await broken.sql('alter table herald.notifications disable trigger doorbell');
      await broken.sql('alter table herald.notifications enable trigger bury_deleted');
      await broken.sql('drop trigger zz_stamp on herald.messages');
      const lines = await finds({ triggers: 'trigger_off' }, { HERALD_DATABASE_URL: broken.url() });
      for (const trigger of ['doorbell of notifications', 'bury_deleted of notifications', 'zz_stamp of messages']) {
        assert.ok(lines.triggers.text.includes(trigger), lines.triggers.text);
      }
    });

    it('an application\'s own resolve_user that fails, or lets anybody in', async () => {
      const own = await cluster.database();
      const replace = (body) => own.sql(`create or replace function herald.resolve_user(claims jsonb) returns text language sql as $$ ${body} $$`);
      await replace('select id from herald.users where id = claims ->> \'sub\''); // not security definer
      const lines = await finds({ users: 'resolve_user_fails' }, { HERALD_DATABASE_URL: own.url() });
      assert.match(lines.users.text, /permission denied.*security definer.*let its owner read what it reads/);
      await replace(`select claims ->> 'sub'`);
      await finds({ users: 'resolve_user_lets_in' }, { HERALD_DATABASE_URL: own.url() });
    });
  });

  describe('privileges', () => {
    it('a stranger: privileges_missing, with the grant', async () => {
      const lines = await finds({ migrations: 'privileges_missing' }, { HERALD_DATABASE_URL: db.url('stranger') });
      assert.match(lines.migrations.text, /grant herald_relay/);
    });

    it('a function that was revoked is named', async () => {
      const less = await cluster.database();
      await less.sql('revoke execute on function herald.relay_tidy() from herald_relay');
      const lines = await finds({ privileges: 'privileges_missing' }, { HERALD_DATABASE_URL: less.url() });
      assert.match(lines.privileges.text, /relay_tidy/);
    });

    for (const role of ['mighty', 'herald_owner', 'twofold']) {
      it(`more than needed is warned of (${role})`, async () => {
        const lines = await finds({ privileges: 'role_too_mighty' }, { HERALD_DATABASE_URL: db.url(role) });
        assert.equal(lines.privileges.verdict, 'WARN');
      });
    }
  });

  describe('configuration and keys', () => {
    it('what serve would refuse fails, and the database is looked at nevertheless', async () => {
      await finds({ configuration: 'bad_configuration', keys: 'bad_key' }, { HERALD_JWT_KEY_FILE: undefined });
      const open = { HERALD_AUTH: 'dev', HERALD_LISTEN: `0.0.0.0:${await freePort()}` };
      await finds({ configuration: 'bad_configuration', keys: 'development_tokens' }, open);
    });

    it('bad keys and exposed ones are found', async () => {
      await finds({ keys: 'bad_key' }, { HERALD_JWT_KEY_FILE: '/nonexistent/key' });
      await finds({ keys: 'bad_key' }, { HERALD_JWT_KEY_FILE: keyFile('s3cret-short') });
      await finds({ keys: 'key_exposed' }, { HERALD_JWT_KEY_FILE: keyFile(newSecret(), 0o644) });
      await finds({ keys: 'development_tokens' }, { HERALD_AUTH: 'dev' });
    });

    it('certificates that cannot be used or will not be for long are found', async () => {
      const files = (days) => {
        const { cert, key } = certificate(`doctor-${days}`, days);
        return { HERALD_TLS_CERT: cert, HERALD_TLS_KEY: key };
      };
      const { lines } = await doctor(files(30));
      assert.match(lines.TLS.text, /for (29|30) days$/);
      await finds({ TLS: 'certificate_expires' }, files(3));
      for (const [from_days, until_days, name] of [[-9, -2, 'certificate_expired'], [2, 9, 'certificate_early']]) {
        const moved = certificate(`doctor-${name}`);
        redate(moved, inDays(from_days), inDays(until_days));
        await finds({ TLS: name }, { HERALD_TLS_CERT: moved.cert, HERALD_TLS_KEY: moved.key });
      }
      await finds({ TLS: 'bad_certificate' }, { ...files(30), HERALD_TLS_KEY: files(3).HERALD_TLS_KEY });
    });

    it('a configuration that cannot be read is exit 78; what it does not know is exit 2', async () => {
      const bad = await run(pgherald, ['doctor'], { env: { HERALD_WORKERS: 'many' } });
      assert.equal(bad.code, 78);
      assert.match(bad.output, /bad_configuration: .*HERALD_WORKERS/);
      for (const args of [['--nonsense'], ['x']]) assert.equal((await run(pgherald, ['doctor', ...args])).code, 2);
    });
  });
});
