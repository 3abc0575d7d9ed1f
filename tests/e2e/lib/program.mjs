// A child process: its output goes to a file in the scratch directory, its end is
// a promise, and it is killed with its whole process group at exit at the latest.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { onExit } from './cleanup.mjs';
import { account, scratch } from './env.mjs';
import { within } from './wait.mjs';

let count = 0;

/** What every child gets of our environment; HERALD_* and PG* only as a test says. */
export function baseEnv() {
  const keep = /^(PATH|HOME|LANG|LC_.*|TZ|[A-Z]*SAN_OPTIONS|LD_LIBRARY_PATH)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => keep.test(name)));
}

export class Program {
  /** Runs as the servers' account, unless at an `end` of a network, whose `nsenter` needs to be root first. */
  constructor(command, args = [], { env = {}, cwd = scratch, killSignal = 'SIGKILL', user = account, end } = {}) {
    count += 1;
    this.logFile = join(scratch, `${count}-${command.split('/').pop()}.log`);
    const log = openSync(this.logFile, 'a');
    this.child = spawn(...(end ? end.entering(command, args) : [command, args]), {
      ...(end ? {} : user),
      cwd,
      detached: true,
      env: { ...baseEnv(), ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.pid = this.child.pid;
    this.status = null;
    const keep = onExit(() => this.#signalGroup(killSignal));
    this.exited = new Promise((resolve) => {
      const done = (status) => {
        this.status = status;
        keep();
        resolve(status);
      };
      this.child.once('exit', (code, signal) => done({ code, signal }));
      this.child.once('error', (error) => done({ code: null, signal: null, error }));
    });
  }

  get running() {
    return this.status === null && this.pid !== undefined;
  }

  /** Everything it has written so far, both streams. */
  output() {
    return readFileSync(this.logFile, 'utf8');
  }

  signal(name) {
    if (this.running) this.child.kill(name);
  }

  #signalGroup(name) {
    if (!this.running) return;
    try {
      process.kill(-this.pid, name);
      process.kill(-this.pid, 'SIGCONT'); // of a test that failed while it was stopped
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }

  /** Processes it has forked itself. */
  children() {
    return childrenOf(this.pid);
  }

  /** Its exit status; a failure shows the end of its output. */
  end(timeout_ms = 10_000) {
    return within(timeout_ms, () => `the end of pid ${this.pid}; its output ends:\n${this.output().slice(-3000)}\n`, this.exited);
  }
}

/** Pids whose parent is `pid`, without zombies. */
export function childrenOf(pid) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const [, state, parent] = /\) (\S) (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'utf8'));
        return state !== 'Z' && Number(parent) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Runs to the end; `{code, output}`. */
export async function run(command, args = [], options = {}) {
  const program = new Program(command, args, options);
  const { code, signal, error } = await program.end(options.timeout ?? 30_000).finally(() => program.signal('SIGKILL'));
  if (error) throw error;
  return { code, signal, output: program.output() };
}
