// A database that takes connections and then never answers, as one whose disk hangs: commands say so and end.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { pgherald, scratch } from './lib/env.mjs';
import { run } from './lib/program.mjs';

const message = (type, ...parts) => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};

// AuthenticationOk, two parameters, BackendKeyData, ReadyForQuery: what a server says until it is asked something.
const welcome = Buffer.concat([message('R', [0, 0, 0, 0]), message('S', 'server_version\0', '15.0\0'), message('S', 'client_encoding\0', 'UTF8\0'),
  message('K', [0, 0, 0, 1], [0, 0, 0, 2]), message('Z', 'I')]);

describe('a database that never answers', () => {
  const dir = mkdtempSync(join(scratch, 'silent-'));
  const sockets = new Set();
  let server;
  before(async () => {
    server = net.createServer((socket) => {
      sockets.add(socket);
      socket.once('data', () => socket.write(welcome));
      socket.on('error', () => {});
    });
    chmodSync(dir, 0o755);
    await new Promise((resolve) => server.listen(join(dir, '.s.PGSQL.5432'), resolve));
    chmodSync(join(dir, '.s.PGSQL.5432'), 0o777);
  });
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it('doctor and trace say so once and end within half a minute', async () => {
    const env = { HERALD_DATABASE_URL: `postgresql:///app?host=${encodeURIComponent(dir)}&user=relay`, HERALD_AUTH: 'dev' };
    const [doctor, trace] = await Promise.all([['doctor'], ['trace', '--user', 'u-alice']].map((args) => run(pgherald, args, { env, timeout: 30_000 })));
    for (const { code, output } of [doctor, trace]) {
      assert.equal(code, 1, output);
      assert.match(output, /^FAIL .* database_unreachable: the database does not answer\. /m);
    }
    assert.match(doctor.output, /^ok +connection /m);
    assert.equal(trace.output.trimEnd().split('\n').length, 1, trace.output);
  });
});
