// A relay under test: `pgherald serve` with an environment of the test's choosing,
// its log, its health, its memory; at the end its log is searched for secrets.
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { onExit } from './cleanup.mjs';
import { pgherald } from './env.mjs';
import { assertLogLines, assertNoSecrets, CANARY } from './log.mjs';
import { freePort } from './ports.mjs';
import { Program, childrenOf } from './program.mjs';
import { eventually } from './wait.mjs';

export const PATH = '/api/v1/notifications/ws';

export { CANARY };

/** Starts a relay on a database and waits until it is ready. */
export async function startRelay(db, env = {}) {
  const relay = await spawnRelay(db, env);
  await relay.ready();
  return relay;
}

/** Starts one without waiting, for the tests of what happens at start. */
export async function spawnRelay(db, env = {}, { port, args = [], end, manager = [] } = {}) {
  const relay = new Relay(db, env, port ?? (await freePort()), args, end, manager);
  db.relays.push(relay);
  return relay;
}

export class Relay {
  constructor(db, env, port, args, end, manager) {
    this.db = db;
    this.port = port;
    this.args = args;
    this.end = end; // of a network
    this.manager = manager; // a command that runs the relay's, as its own child
    this.env = {
      HERALD_DATABASE_URL: db.url(),
      HERALD_LISTEN: `127.0.0.1:${port}`,
      HERALD_AUTH: 'dev',
      HERALD_WORKERS: '1',
      HERALD_LOG_LEVEL: 'debug', // the level at which a secret is likeliest to slip out
      HERALD_RATE_LIMIT: '1000/s:2000',
      HERALD_RATE_LIMIT_PER_USER: '10000/s:20000',
      HERALD_AUTH_FAILURES_PER_IP: '10000/s:20000',
      HERALD_DRAIN_SECONDS: '1', // the end of each test waits for it
      ...env,
    };
    for (const [name, value] of Object.entries(this.env)) if (value === undefined) delete this.env[name];
    this.killed = false;
    this.earlierLogs = '';
    this.boot();
  }

  boot() {
    const [command, ...args] = [...this.manager, pgherald, 'serve', ...this.args];
    this.program = new Program(command, args, { env: this.env, end: this.end });
  }

  get pid() {
    return this.program.pid;
  }

  get running() {
    return this.program.running;
  }

  log() {
    return this.earlierLogs + this.program.output();
  }

  /** The path of its unix socket, when it listens on one. */
  get socketPath() {
    return /^unix:(.*)/.exec(this.env.HERALD_LISTEN)?.[1];
  }

  url(path = PATH) {
    if (this.socketPath) return `ws+unix:${this.socketPath}:${path}`;
    return `${this.env.HERALD_TLS_CERT ? 'wss' : 'ws'}://127.0.0.1:${this.port}${path}`;
  }

  /** What a client of its TLS has to trust; a self-signed certificate is its own root. */
  get ca() {
    return this.env.HERALD_TLS_CERT && readFileSync(this.env.HERALD_TLS_CERT);
  }

  /** Pids of its worker processes; none when it has a single process. */
  workers() {
    return childrenOf(this.pid);
  }

  /** Resident memory of all its processes, in bytes, shared pages counted once. */
  memory() {
    return this.processes()
      .map((pid) => Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024)
      .reduce((a, b) => a + b, 0);
  }

  /** Memory that it has allocated, in all its processes: of shared pages, a part that depends on who else runs. */
  heap() {
    return this.processes().map((pid) => Number(/^Pss_Anon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024)
      .reduce((a, b) => a + b, 0);
  }

  /** File descriptors of all its processes. */
  descriptors() {
    return this.processes().map((pid) => readdirSync(`/proc/${pid}/fd`).length).reduce((a, b) => a + b, 0);
  }

  /** Processor time of all its processes, in ms; the kernel counts in ticks of 10. */
  cpu() {
    return this.processes().map((pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' '))
      .reduce((sum, fields) => sum + (Number(fields[11]) + Number(fields[12])) * 10, 0);
  }

  /** Pids of all its processes, the first one's first. */
  processes() {
    return [this.pid, ...this.workers()];
  }

  /** What its processes have counted, summed; they say it when they stop. A counter that is zero is not there. */
  async counters() {
    await this.stop();
    const last = new Map();
    for (const [, pid, fields] of this.log().matchAll(/ event=counters pid=(\d+) (.*)$/gm)) last.set(pid, fields);
    const sums = {};
    for (const fields of last.values()) {
      for (const [, name, value] of fields.matchAll(/(\w+)=(\d+)/g)) sums[name] = (sums[name] ?? 0) + Number(value);
    }
    return sums;
  }

  /** So many requests ask every worker, but once in 2^15: each answers for itself, and which one is asked is chance. */
  get askedOfAll() {
    return this.env.HERALD_WORKERS === '1' ? 1 : 16;
  }

  /** Waits until /readyz is 200, at every worker: what happens from now on reaches its tabs. */
  ready(timeout_ms = 15_000) {
    return this.#answers('/readyz', timeout_ms, this.askedOfAll);
  }

  /** Waits until /healthz is 200: it listens, be there a database or not. */
  listening(timeout_ms = 10_000) {
    return this.#answers('/healthz', timeout_ms);
  }

  async #answers(path, timeout_ms, times = 1) {
    const isGood = async () => (await this.get(path)).status === 200;
    const isGoodEverywhere = async () => (await isGood()) && (await Promise.all(Array.from({ length: times - 1 }, isGood))).every(Boolean);
    await eventually(`${path} to be 200`, async () => !this.running || isGoodEverywhere(), timeout_ms).catch((error) => {
      throw new Error(`${error.message}\nthe relay's log ends:\n${this.log().slice(-3000)}`);
    });
    if (!this.running) {
      throw new Error(`the relay has ended: ${JSON.stringify(this.program.status)}\nits log ends:\n${this.log().slice(-3000)}`);
    }
  }

  /** A plain HTTP request; `{status, headers, body}`. */
  get(path, { method = 'GET', headers = {} } = {}) {
    return new Promise((resolve, reject) => {
      const { port, socketPath, ca } = this;
      const request = (ca ? https : http).request({ host: '127.0.0.1', port, socketPath, ca, path, method, headers, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
        response.on('error', reject);
      });
      request.on('error', reject);
      request.setTimeout(5_000, () => request.destroy(new Error(`${method} ${path}: no answer in 5 s`)));
      request.end();
    });
  }

  /** SIGTERM; it must end by itself, with exit status 0. */
  async stop() {
    if (!this.running) return;
    const workers = this.workers();
    this.program.signal('SIGTERM');
    const status = await this.program.end(15_000).catch((error) => {
      this.program.signal('SIGKILL');
      workers.forEach(killIfOurs);
      throw error;
    });
    assert.deepEqual(status, { code: 0, signal: null }, `the relay's end after SIGTERM; its log ends:\n${this.log().slice(-3000)}`);
    await goneAll(workers);
  }

  /** SIGKILL: what a crash of the machine's memory killer looks like. */
  async kill() {
    const workers = this.workers();
    const forget = onExit(() => workers.forEach(killIfOurs));
    this.killed = true;
    this.program.signal('SIGKILL');
    await this.program.end();
    await goneAll(workers).finally(() => {
      workers.forEach(killIfOurs);
      forget();
    });
  }

  /** Starts it again on the same port. */
  async again() {
    this.earlierLogs += this.program.output();
    this.boot();
    await this.ready();
  }

  /** The end of a test file: stop it and hold its log against the promises. */
  async finish() {
    await this.stop();
    assertLogLines(this.log());
    assertNoSecrets(this.log());
  }
}

async function goneAll(pids) {
  await eventually('the workers to end with their supervisor', () => pids.every((pid) => !isOurs(pid)), 5_000);
}

/** A process that runs the program under test; its name proves nothing, workers have another. */
function isOurs(pid) {
  try {
    return readlinkSync(`/proc/${pid}/exe`).startsWith(realpathSync(pgherald));
  } catch {
    return false;
  }
}

function killIfOurs(pid) {
  if (isOurs(pid)) process.kill(pid, 'SIGKILL');
}
