// A relay that is given its listening socket by the service manager (sd_listen_fds): which address counts, and that
// nobody is refused while it is started again.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { Client, connect, devToken } from './lib/client.mjs';
import { pgherald, scratch } from './lib/env.mjs';
import { freePort } from './lib/ports.mjs';
import { Cluster } from './lib/postgres.mjs';
import { run } from './lib/program.mjs';
import { spawnRelay } from './lib/relay.mjs';
import { eventually, every } from './lib/wait.mjs';

// Node cannot hold a listening socket without accepting from it; perl-base is on every Debian. The first argument says
// which sockets, from 3 on; the others are the command. SIGUSR1: another one after the end of this one, as `systemctl restart`.
const holder = `
  use IO::Socket::IP;
  use IO::Socket::UNIX;
  $^F = 20;
  my ($kinds, @command) = @ARGV;
  my @sockets = map {
      m{^/} ? IO::Socket::UNIX->new(Local => $_, Listen => 4096)
    : m{^udp:(.*)} ? IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $1, Proto => 'udp')
    : m{^(.*):(\\d+)$} ? IO::Socket::IP->new(LocalHost => $1, LocalPort => $2, Listen => 4096, V6Only => 0) : die;
  } split / /, $kinds;
  defined && fileno($_) >= 3 or die "no socket: $!" for @sockets;
  my ($pid, $stop);
  $SIG{TERM} = sub { $stop = 1; kill TERM => $pid };
  $SIG{USR1} = sub { kill TERM => $pid };
  do {
    $pid = fork;
    if (!$pid) {
      $ENV{LISTEN_PID} = $$ + ($ENV{FOR_SOMEBODY_ELSE} || 0);
      $ENV{LISTEN_FDS} = @sockets;
      delete $ENV{FOR_SOMEBODY_ELSE};
      exec @command or exit 127;
    }
    1 until waitpid($pid, 0) == $pid;
  } until $stop || $?;
  exit($? >> 8 || ($? & 127));`;

const holding = (sockets) => ['perl', '-e', holder, sockets];

const tries = (options) => new Promise((resolve) => {
  const socket = net.connect(options, () => resolve(socket.destroy() && true));
  socket.once('error', () => resolve(false));
});

/** CPU time of a process, in ticks; 0 when it has ended. */
function ticks(pid) {
  try {
    const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13);
    return Number(user) + Number(system);
  } catch {
    return 0;
  }
}

describe('a socket of the service manager', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  /** A relay on a socket that is given to it. */
  async function startOn(sockets, env, options) {
    const relay = await spawnRelay(db, env, { ...options, manager: holding(sockets) });
    await relay.ready();
    return relay;
  }

  /** A relay that is expected to give up; `{code, output}`. */
  const refused = (sockets, env = {}) => {
    const [command, ...args] = holding(sockets);
    return run(command, [...args, pgherald, 'serve'], {
      env: { HERALD_DATABASE_URL: db.url(), HERALD_AUTH: 'dev', HERALD_WORKERS: '1', ...env }, timeout: 15_000,
    });
  };

  for (const workers of ['1', '2']) {
    it(`takes the place of HERALD_LISTEN (HERALD_WORKERS=${workers})`, async () => {
      const [port, other] = [await freePort(), await freePort()];
      const relay = await startOn(`127.0.0.1:${port}`, { HERALD_LISTEN: `127.0.0.1:${other}`, HERALD_WORKERS: workers }, { port });
      assert.match(relay.log(), new RegExp(`event=serving .*listen=127\\.0\\.0\\.1:${port} socket=given`));
      const tabs = await Promise.all(Array.from({ length: 20 }, () => connect(relay, 'alice')));
      await tabs[0].settle(db, 'alice');
      assert.equal(await tries({ port: other, host: '127.0.0.1' }), false);
      assert.equal(await relay.get('/healthz').then(({ status }) => status), 200);
    });

    it(`nobody is refused while the relay is started again (HERALD_WORKERS=${workers})`, async () => {
      const port = await freePort();
      const relay = await startOn(`127.0.0.1:${port}`, { HERALD_WORKERS: workers, HERALD_DRAIN_SECONDS: '2' }, { port });
      const user = await db.person();
      const old = [];
      const acceptors = () => [...new Set(relay.log().match(/(?<=event=session_open pid=)\d+/g))];
      await eventually('a tab at each worker', async () => {
        old.push(await connect(relay, user));
        return acceptors().length === Number(workers);
      });
      const first = acceptors();

      const probes = [];
      const end = new AbortController();
      const probing = every(20, end.signal, () => probes.push(tries({ port, host: '127.0.0.1' })));
      const before_ticks = first.map(ticks);
      relay.program.signal('SIGUSR1');
      for (const tab of old) await tab.next('draining'); // nobody accepts from here on
      const waiting = Array.from({ length: 20 }, async () => { // for the end of this one and the start of the next
        const tab = new Client(relay, { token: devToken(user) });
        await tab.next('connected', undefined, 20_000);
        return tab;
      });
      for (const tab of old) assert.deepEqual(await tab.closed, { code: 1001, reason: 'server is shutting down' });
      first.forEach((pid, i) => assert.ok(ticks(pid) - before_ticks[i] < 50, 'it does not spin on those who wait for the next one'));
      const tabs = await Promise.all(waiting);
      end.abort();
      await probing;
      assert.ok((await Promise.all(probes)).every(Boolean), 'a connection was refused');
      assert.ok(acceptors().length > first.length, 'they are the next one\'s');
      await db.notify(user, 'to the new one');
      for (const tab of tabs) await tab.next('new_notification');
    });
  }

  it('of the family unix: its file stays', async () => {
    const path = join(scratch, 'given');
    const relay = await startOn(path, { HERALD_LISTEN: `unix:${path}` });
    await (await connect(relay, 'alice')).settle(db, 'alice');
    await relay.stop();
    assert.ok(existsSync(path));
  });

  it('of IPv6 takes IPv4 as well', { skip: !existsSync('/proc/net/if_inet6') && 'no IPv6 here' }, async () => {
    const port = await freePort();
    const relay = await startOn(`:::${port}`, { HERALD_ALLOW_DEV_AUTH: 'yes' }, { port });
    assert.match(relay.log(), new RegExp(`listen="?\\[::\\]:${port}`));
    await (await connect(relay, 'alice')).settle(db, 'alice');
  });

  it('is nothing to a process that it was not given to', async () => {
    const [port, other] = [await freePort(), await freePort()];
    const relay = await startOn(`127.0.0.1:${other}`, { FOR_SOMEBODY_ELSE: '1' }, { port });
    assert.match(relay.log(), new RegExp(`listen=127\\.0\\.0\\.1:${port} socket=own`));
  });

  it('development tokens need its address to be loopback, not what HERALD_LISTEN says', async () => {
    const { code, output } = await refused(`0.0.0.0:${await freePort()}`, { HERALD_LISTEN: '127.0.0.1:8000' });
    assert.equal(code, 78, output);
    assert.match(output, /HERALD_ALLOW_DEV_AUTH/);
  });

  it('is what the doctor takes for granted, not HERALD_LISTEN', async () => {
    const [command, ...args] = holding(`127.0.0.1:${await freePort()}`);
    const { output } = await run(command, [...args, pgherald, 'doctor'], { env: { HERALD_DATABASE_URL: db.url(), HERALD_LISTEN: '192.0.2.1:8000' } });
    assert.match(output, /^ok +listening +at the service manager's socket$/m);
  });

  it('several of them, or one that does not listen: exit 78', async () => {
    const [a, b] = [await freePort(), await freePort()];
    for (const [sockets, says] of [[`127.0.0.1:${a} 127.0.0.1:${b}`, /gives 2 sockets/], [`udp:${a}`, /does not listen/]]) {
      const { code, output } = await refused(sockets);
      assert.equal(code, 78, output);
      assert.match(output, says);
    }
  });
});
