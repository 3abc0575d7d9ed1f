// A private throw-away PostgreSQL: one cluster a test file, one database a test
// that wants its own. Real fsync, local socket only, trust for all but `relay_pw`.
import { mkdirSync, readFileSync, writeFileSync, existsSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { blockFor, onExit } from './cleanup.mjs';
import { account, pgBin, pgherald, scratch } from './env.mjs';
import { Program, childrenOf, run } from './program.mjs';
import { eventually } from './wait.mjs';

// Microseconds and 64-bit numbers must not pass through Date and double.
const asText = { getTypeParser: () => (value) => value };

let clusters = 0;

/** A zombie is not. */
function isRunning(pid) {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export class Cluster {
  /**
   * A running cluster with the roles `herald_owner` (owns databases, no superuser), `relay` and `app`; at an `end` of a
   * network it listens there, too.
   */
  static async start(settings = {}, { walDir, end } = {}) {
    const cluster = new Cluster(settings, end);
    await cluster.#initialise(walDir ? ['--waldir', walDir] : []);
    await cluster.boot();
    const admin = await cluster.connect('postgres', 'postgres');
    await admin.query('create role herald_owner login createrole');
    await admin.end();
    return cluster;
  }

  constructor(settings = {}, end) {
    clusters += 1;
    this.networkEnd = end;
    this.dir = join(scratch, `pg${clusters}`);
    this.port = settings.port ?? 5432;
    this.databases = [];
    this.settings = {
      listen_addresses: end?.address ?? '',
      unix_socket_directories: this.dir,
      port: this.port,
      max_connections: 200,
      max_prepared_transactions: 5,
      shared_buffers: '64MB',
      log_line_prefix: '%m [%p] %u@%d ',
      ...settings,
    };
  }

  get dataDir() {
    return join(this.dir, 'data');
  }

  #makeDir() {
    mkdirSync(this.dir, { mode: 0o755 });
    if (account.uid !== undefined) chownSync(this.dir, account.uid, account.gid);
  }

  async #initialise(options) {
    this.#makeDir();
    const { code, output } = await run(join(pgBin, 'initdb'), [
      '-D', this.dataDir, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', ...options,
    ], { timeout: 60_000 });
    if (code !== 0) throw new Error(`initdb: ${output}`);
    writeFileSync(join(this.dataDir, 'pg_hba.conf'), [
      'local all relay_pw scram-sha-256', 'local all all trust', 'local replication postgres trust',
      'host all all samenet trust', '',
    ].join('\n'));
  }

  async boot() {
    const options = Object.entries(this.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    // At exit the last step registered runs first: the kill, then this wait, then the scratch directory's end.
    this.forget = onExit(() => {
      for (let i = 0; i < 100 && existsSync(join(this.dataDir, 'postmaster.pid')); i += 1) blockFor(50);
    });
    // SIGQUIT: an immediate shutdown takes the backends along, SIGKILL would not.
    this.program = new Program(join(pgBin, 'postgres'), ['-D', this.dataDir, ...options], {
      killSignal: 'SIGQUIT', end: this.networkEnd,
    });
    await eventually('PostgreSQL to accept connections', async () => {
      if (!this.program.running) throw new Error(this.program.output());
      const client = await this.connect('postgres', 'postgres');
      await client.end();
      return true;
    }, 30_000);
  }

  /** `fast` disconnects everybody; `immediate` is a crash, with recovery at the next start. */
  async stop(mode = 'fast') {
    this.program.signal({ fast: 'SIGINT', immediate: 'SIGQUIT' }[mode]);
    await this.program.end(30_000);
    this.forget();
  }

  /** Kills the postmaster; its children end by themselves, as they must before the next start. */
  async kill() {
    const children = this.program.children();
    this.program.signal('SIGKILL');
    await this.program.end();
    this.forget();
    await eventually('the backends to end with the postmaster', () => children.every((pid) => !isRunning(pid)), 30_000);
  }

  /**
   * From now on only a commit that waits for it brings WAL to disk: a crash takes back the others. The answer kills the
   * writer, which is to be called right after the crash began; alone it is a crash, too.
   */
  async stopWalWriter() {
    const admin = await this.connect('postgres', 'postgres');
    const { rows } = await admin.query(`select pid from pg_stat_activity where backend_type = 'walwriter'`);
    await admin.end();
    const pid = Number(rows[0].pid);
    this.stoppedWalWriter = pid;
    process.kill(pid, 'SIGSTOP');
    return () => process.kill(pid, 'SIGKILL');
  }

  async restart(mode) {
    await this.stop(mode);
    await this.boot();
  }

  /** kill -9 of the postmaster; its backends notice and go. */
  async crash() {
    const backends = this.processes();
    this.program.signal('SIGKILL');
    await this.program.end(30_000);
    this.forget();
    await eventually('the backends to follow their postmaster', () => backends.every((pid) => !isRunning(pid)), 30_000);
  }

  /** Pids of its processes but the postmaster. */
  processes() {
    return childrenOf(this.program.pid);
  }

  /** A streaming standby of this cluster, made with pg_basebackup. */
  async standby() {
    const standby = new Cluster();
    standby.#makeDir();
    const { code, output } = await run(join(pgBin, 'pg_basebackup'), [
      '-h', this.dir, '-p', String(this.port), '-U', 'postgres', '-D', standby.dataDir, '-R', '-X', 'stream', '-c', 'fast', '--no-sync',
    ], { timeout: 60_000 });
    if (code !== 0) throw new Error(`pg_basebackup: ${output}`);
    await standby.boot();
    return standby;
  }

  async promote() {
    await this.admin('select pg_promote()');
  }

  /** One statement as superuser. */
  async admin(text, database = 'postgres') {
    const client = await this.connect(database, 'postgres');
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** A database that exists here already: of a primary, or restored. */
  existing(name) {
    const db = new Database(this, name);
    this.databases.push(db);
    return db;
  }

  async connect(database, user) {
    const client = new pg.Client({ host: this.dir, port: this.port, database, user, types: asText });
    client.on('error', () => {}); // a test that stops the server expects this
    await client.connect();
    return client;
  }

  /** A new database; migrated, and with the test users, unless told otherwise. */
  async database({ migrated = true } = {}) {
    const name = `db${this.databases.length + 1}`;
    const admin = await this.connect('postgres', 'postgres');
    await admin.query(`create database ${name} owner herald_owner`);
    await admin.end();
    const db = this.existing(name);
    if (migrated) await db.migrate();
    return db;
  }

  /** Stops every relay of the cluster, looks through their logs, then stops the server. */
  async end() {
    const failures = [];
    for (const db of this.databases) {
      for (const relay of db.relays) await relay.finish().catch((error) => failures.push(error));
      await db.close();
    }
    await this.stop('fast');
    if (failures.length === 1) throw failures[0];
    if (failures.length) throw new AggregateError(failures, failures.map((f) => f.message).join('\n'));
  }
}

export class Database {
  constructor(cluster, name) {
    this.cluster = cluster;
    this.name = name;
    this.relays = [];
    this.serial = 0;
    this.pool = new pg.Pool({
      host: cluster.dir, port: cluster.port, database: name, user: 'herald_owner', max: 20, types: asText,
    });
    this.pool.on('error', () => {});
  }

  /** A libpq URL for HERALD_DATABASE_URL. */
  url(user = 'relay', { host = this.cluster.dir, port = this.cluster.port, password } = {}) {
    const secret = password ? `&password=${encodeURIComponent(password)}` : '';
    return `postgresql:///${this.name}?host=${encodeURIComponent(host)}&port=${port}&user=${user}${secret}`;
  }

  /** `pgherald migrate` as the owner, then logins that have the product's roles and nothing else. */
  async migrate() {
    const { code, output } = await run(pgherald, ['migrate'], { env: { HERALD_DATABASE_URL: this.url('herald_owner') } });
    if (code !== 0) throw new Error(`pgherald migrate: exit ${code}: ${output}`);
    await this.addLogins();
    await this.addUsers();
  }

  async addLogins() {
    const admin = await this.cluster.connect(this.name, 'postgres');
    const { rows } = await admin.query(`select 1 from pg_roles where rolname = 'relay'`);
    if (rows.length === 0) {
      await admin.query('create role relay login in role herald_relay');
      await admin.query('create role app login in role herald_app');
    }
    await admin.end();
  }

  /** The id is not the name: what is addressed by one must not be found by the other. */
  async addUsers(names = ['alice', 'bob', 'ashumba']) {
    await this.sql(
      `insert into herald.users (id, username) select 'u-' || name, name from unnest($1::text[]) name on conflict do nothing`,
      [names],
    );
  }

  /** A user of the test's own, so that tests share a database and no state; its name. */
  async person(name = 'user') {
    this.serial += 1;
    const username = `${name}${this.serial}`;
    await this.addUsers([username]);
    return username;
  }

  /** Rows of one statement, run as the application's owner role; every value is a string. */
  async sql(text, params) {
    return (await this.pool.query(text, params)).rows;
  }

  /** One value. */
  async value(text, params) {
    const [row] = await this.sql(text, params);
    return row === undefined ? undefined : Object.values(row)[0];
  }

  /** A session of one's own, for transactions; the caller ends it. */
  session(user = 'herald_owner') {
    return this.cluster.connect(this.name, user);
  }

  /** Inserts a notification with plain SQL; its id. */
  async notify(user, title, columns = {}) {
    const names = ['user_id', 'title', ...Object.keys(columns)];
    const values = [`u-${user}`, title, ...Object.values(columns)];
    const list = values.map((_, i) => `$${i + 1}`).join(', ');
    return this.value(`insert into herald.notifications (${names.join(', ')}) values (${list}) returning id::text`, values);
  }

  /** The user's exact unread total, counted from the table. */
  async unread(user) {
    return Number(await this.value(
      `select count(*) from herald.notifications where user_id = $1 and read_at is null
         and (expires_at is null or expires_at > now())`, [`u-${user}`]));
  }

  /** The user's rows as {id: version}. */
  async versions(user) {
    const rows = await this.sql('select id::text, version::text from herald.notifications where user_id = $1', [`u-${user}`]);
    return Object.fromEntries(rows.map((row) => [row.id, Number(row.version)]));
  }

  /** Pids of the relay's backends here, of all its connections or of one name. */
  async backends(name = 'pgherald %') {
    const rows = await this.sql('select pid from pg_stat_activity where application_name like $1 and datname = current_database()', [name]);
    return rows.map((row) => Number(row.pid));
  }

  async close() {
    await this.pool.end();
  }
}
