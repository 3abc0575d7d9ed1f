// PgBouncer between a relay and a cluster, on a socket of its own.
import { chownSync, mkdirSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { account, scratch } from './env.mjs';
import { Program } from './program.mjs';
import { eventually } from './wait.mjs';

const places = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'];

let count = 0;

/** `{dir, port, program}` of a running pooler. */
export async function startPgBouncer(cluster, { poolMode = 'transaction', ignore = '' } = {}) {
  const path = places.find(existsSync);
  if (!path) throw new Error('pgbouncer is missing: install the package pgbouncer');
  count += 1;
  const dir = join(scratch, `pgbouncer${count}`);
  const port = 6432;
  mkdirSync(dir, { mode: 0o755 });
  if (account.uid !== undefined) chownSync(dir, account.uid, account.gid);
  writeFileSync(join(dir, 'users.txt'), '"relay" ""\n');
  writeFileSync(join(dir, 'pgbouncer.ini'), `[databases]
* = host=${cluster.dir} port=${cluster.port}
[pgbouncer]
listen_port = ${port}
unix_socket_dir = ${dir}
auth_type = trust
auth_file = ${dir}/users.txt
pool_mode = ${poolMode}
${ignore && `ignore_startup_parameters = ${ignore}`}
`);
  const program = new Program(path, [join(dir, 'pgbouncer.ini')]);
  await eventually('pgbouncer\'s socket', () => {
    if (!program.running) throw new Error(program.output());
    return existsSync(join(dir, `.s.PGSQL.${port}`));
  });
  return { dir, port, program };
}
