// The program on the command line: help one can learn it from, usage errors, and
// migrations: from nothing, twice, two at once, changed, newer, by hand with psql.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pgBin, pgherald, root } from './lib/env.mjs';
import { keyFile, newSecret } from './lib/jwt.mjs';
import { Cluster } from './lib/postgres.mjs';
import { run } from './lib/program.mjs';

describe('command line', () => {
  it('--help names every command, each has its own, and both are exit 0', async () => {
    for (const flag of ['--help', '-h', 'help']) {
      const { code, output } = await run(pgherald, [flag]);
      if (flag === 'help' && code === 2) continue; // a word, not an option
      assert.equal(code, 0, output);
      for (const command of ['serve', 'dev', 'migrate', 'token', 'doctor', 'trace']) assert.match(output, new RegExp(`\\b${command}\\b`));
    }
    for (const command of ['serve', 'dev', 'migrate', 'token', 'doctor', 'trace']) {
      const { code, output } = await run(pgherald, [command, '--help']);
      assert.equal(code, 0, output);
      assert.ok(output.split('\n').length >= 5, output);
      assert.match(output, new RegExp(`pgherald ${command}`));
    }
  });

  it('serve --help tells all variables with their defaults', async () => {
    const { output } = await run(pgherald, ['serve', '--help']);
    for (const name of ['HERALD_DATABASE_URL', 'HERALD_LISTEN', 'HERALD_AUTH', 'HERALD_JWT_ALG', 'HERALD_JWT_KEY_FILE', 'HERALD_WORKERS',
      'HERALD_FEED', 'HERALD_RATE_LIMIT', 'HERALD_QUEUE_BYTES', 'HERALD_HEARTBEAT', 'HERALD_LOG_LEVEL']) assert.ok(output.includes(name), name);
    assert.ok(output.includes('127.0.0.1:8000'));
  });

  it('--version is one line', async () => {
    const { code, output } = await run(pgherald, ['--version']);
    assert.equal(code, 0);
    assert.match(output, /^pgherald \d+\.\d+\.\d+\S*( .*)?\n$/);
  });

  it('what it does not know is exit 2 with a pointer to --help', async () => {
    for (const args of [[], ['nonsense'], ['--nonsense'], ['serve', '--nonsense'], ['serve', 'x'], ['migrate', '--nonsense'], ['migrate', 'x'],
      ['token', '--nonsense'], ['token'], ['dev', '--nonsense']]) {
      const { code, output } = await run(pgherald, args);
      assert.equal(code, 2, `${args.join(' ')}: ${output}`);
      assert.match(output, /help|usage/i, args.join(' '));
    }
  });

  it('token needs a key, and prints nothing but the token', async () => {
    const secret = newSecret();
    const made = await run(pgherald, ['token', '--sub', 'alice'], { env: { HERALD_JWT_KEY_FILE: keyFile(secret) } });
    assert.equal(made.code, 0, made.output);
    assert.match(made.output, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const claims = JSON.parse(Buffer.from(made.output.split('.')[1], 'base64url').toString());
    assert.equal(claims.sub, 'alice');
    assert.ok(Number.isInteger(claims.exp));
    const scoped = await run(pgherald, ['token', '--sub', 'alice', '--ttl', '5m', '--scope', 'notifications:write'], { env: { HERALD_JWT_KEY_FILE: keyFile(secret) } });
    const more = JSON.parse(Buffer.from(scoped.output.split('.')[1], 'base64url').toString());
    assert.equal(more.scope, 'notifications:write');
    assert.ok(Math.abs(more.exp - Date.now() / 1000 - 300) < 10);
    for (const [args, env] of [[['--sub', 'alice'], {}], [['--sub', 'a b'], { HERALD_JWT_KEY_FILE: keyFile(secret) }],
      [['--sub', 'alice', '--ttl', 'soon'], { HERALD_JWT_KEY_FILE: keyFile(secret) }], [['--sub', 'alice'], { HERALD_JWT_KEY_FILE: '/nonexistent' }]]) {
      const { code, output } = await run(pgherald, ['token', ...args], { env });
      assert.ok([1, 2, 78].includes(code), `${args}: ${code}`);
      assert.ok(output.length > 10, output);
    }
  });
});

describe('migrate', () => {
  let cluster;
  before(async () => (cluster = await Cluster.start()));
  after(() => cluster?.end());

  const migrate = (db, ...args) => run(pgherald, ['migrate', ...args], { env: { HERALD_DATABASE_URL: db.url('herald_owner') } });
  const empty = () => cluster.database({ migrated: false });
  const applied = (db) => db.sql('select id, name, checksum from herald.migrations order by id');

  it('--status tells what is missing and what is applied, and changes nothing', async () => {
    const db = await empty();
    const first = await migrate(db, '--status');
    assert.equal(first.code, 1, first.output);
    assert.match(first.output, /0001\S*/);
    assert.equal(await db.value(`select count(*) from pg_namespace where nspname = 'herald'`), '0');
    assert.equal((await migrate(db)).code, 0);
    const second = await migrate(db, '--status');
    assert.equal(second.code, 0, second.output);
    assert.match(second.output, /0001\S*/);
  });

  it('twice is the same as once', async () => {
    const db = await empty();
    assert.equal((await migrate(db)).code, 0);
    const once = await applied(db);
    assert.ok(once.length > 0 && once.every((row) => /^[0-9a-f]{64}$/.test(row.checksum)));
    const again = await migrate(db);
    assert.equal(again.code, 0, again.output);
    assert.deepEqual(await applied(db), once);
  });

  it('several at once, in one database and in two, all succeed and apply each file once', async () => {
    const [one, two] = [await empty(), await empty()];
    const ends = await Promise.all([one, one, one, two, two].map((db) => migrate(db)));
    assert.deepEqual(ends.map(({ code }) => code), [0, 0, 0, 0, 0], ends.map(({ output }) => output).join('\n'));
    assert.deepEqual(await applied(one), await applied(two));
  });

  it('a file that was changed after it was applied is refused', async () => {
    const db = await empty();
    await migrate(db);
    await db.sql(`update herald.migrations set checksum = repeat('0', 64) where id = 1`);
    const { code, output } = await migrate(db);
    assert.equal(code, 1);
    assert.match(output, /0001/);
    assert.match(output, /chang|checksum|differ/i);
    assert.notEqual((await migrate(db, '--status')).output, '');
  });

  it('a database that is newer than the program is refused, and left alone', async () => {
    const db = await empty();
    await migrate(db);
    const last = await db.value('select max(id) from herald.migrations');
    await db.sql(`insert into herald.migrations (id, name, checksum) values ($1, '9999_future', repeat('0', 64))`, [Number(last) + 1]);
    const { code, output } = await migrate(db);
    assert.equal(code, 1);
    assert.match(output, /newer|unknown|9999_future/i);
  });

  it('files applied with psql are adopted', async () => {
    const psql = [join(pgBin, 'psql'), '/usr/bin/psql'].find(existsSync);
    assert.ok(psql, 'psql');
    const db = await empty();
    const dir = join(root, 'sql/migrations');
    const files = readdirSync(dir).filter((name) => name.endsWith('.sql')).sort();
    // The servers' account may not be allowed to read the checkout: the text goes through a file of its own.
    for (const name of files) {
      const { code, output } = await run(psql, ['-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-d', db.url('herald_owner'), '-f', keyFile(readFileSync(join(dir, name)))]);
      assert.equal(code, 0, `${name}: ${output}`);
    }
    assert.ok((await applied(db)).every((row) => row.checksum === null));
    const { code, output } = await migrate(db);
    assert.equal(code, 0, output);
    const other = await empty();
    await migrate(other);
    assert.deepEqual(await applied(db), await applied(other));
  });

  it('a database that cannot be reached is exit 1 and said', async () => {
    const { code, output } = await run(pgherald, ['migrate'], { env: { HERALD_DATABASE_URL: 'postgresql:///x?host=/nonexistent&connect_timeout=2' } });
    assert.equal(code, 1);
    assert.match(output, /\/nonexistent/);
  });

  it('a role that may not create the schema is told so, and nothing is half done', async () => {
    const db = await empty();
    const admin = await cluster.connect(db.name, 'postgres');
    await admin.query(`do $$ begin if not exists (select from pg_roles where rolname = 'nobody_much') then create role nobody_much login; end if; end $$`);
    await admin.end();
    const { code, output } = await run(pgherald, ['migrate'], { env: { HERALD_DATABASE_URL: db.url('nobody_much') } });
    assert.equal(code, 1);
    assert.match(output, /migrate_not_allowed: role "nobody_much" may not create .* As an administrator: grant create on database /);
    assert.equal(await db.value(`select count(*) from pg_namespace where nspname = 'herald'`), '0');
  });

  it('the relay\'s role is told to migrate as the owner, whose name it gets', async () => {
    const db = await cluster.database();
    const { code, output } = await run(pgherald, ['migrate'], { env: { HERALD_DATABASE_URL: db.url('relay') } });
    assert.equal(code, 1);
    assert.match(output, /migrate_not_allowed: role "relay" does not own the schema herald\. Run pgherald migrate as the owner, herald_owner; or, /);
  });
});
