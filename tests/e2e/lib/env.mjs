// Where things are: the program under test, PostgreSQL's binaries, a scratch
// directory, and the account that servers run as (never root).
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onExit } from './cleanup.mjs';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/** Sanitizer and valgrind runs set HERALD_E2E_PATIENCE to stretch every deadline. */
export const patience = Number(process.env.HERALD_E2E_PATIENCE ?? 1);

function find_account() {
  if (process.getuid() !== 0) return {};
  const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Options for spawn(): the user postgres when the tests run as root, else nothing. */
export const account = find_account();

function find_pg_bin() {
  if (process.env.PGBIN) return process.env.PGBIN;
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base) ? readdirSync(base) : [];
  const newest = versions
    .filter((v) => existsSync(join(base, v, 'bin/postgres')))
    .sort((a, b) => Number(b) - Number(a))[0];
  if (!newest) throw new Error(`no PostgreSQL server under ${base}; set PGBIN`);
  return join(base, newest, 'bin');
}

export const pgBin = find_pg_bin();

/** A directory of this process's own, readable by the servers' account, removed at exit unless HERALD_E2E_KEEP is set. */
export const scratch = mkdtempSync('/tmp/pgherald-e2e-');
chmodSync(scratch, 0o755);
if (account.uid !== undefined) chownSync(scratch, account.uid, account.gid);
onExit(() => {
  if (process.env.HERALD_E2E_KEEP) console.error(`logs and data are kept in ${scratch}`);
  else rmSync(scratch, { recursive: true, force: true });
});

/**
 * The program under test. A checkout below a directory that only root may enter
 * is no use to the servers' account: then the scratch directory gets a copy.
 */
function find_program() {
  const path = resolve(process.env.PGHERALD_BIN ?? join(root, 'build/pgherald'));
  if (!existsSync(path)) throw new Error(`${path} is missing: build first, or set PGHERALD_BIN`);
  if (spawnSync(path, ['--version'], account).error?.code !== 'EACCES') return path;
  const copy = join(scratch, 'pgherald');
  copyFileSync(path, copy);
  chmodSync(copy, 0o755);
  return copy;
}

export const pgherald = find_program();
