// What a service manager sees of a relay (sd_notify), and what a supervisor does with a worker that hangs.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { connect } from './lib/client.mjs';
import { scratch } from './lib/env.mjs';
import { Cluster } from './lib/postgres.mjs';
import { Program } from './lib/program.mjs';
import { startRelay } from './lib/relay.mjs';
import { eventually, sleep } from './lib/wait.mjs';

// Node has no datagram sockets of this family; perl-base is on every Debian.
const receiver = `
  use Socket;
  $| = 1;
  socket(my $in, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
  bind($in, sockaddr_un($ARGV[0])) or die "bind: $!";
  print "bound\\n";
  while (defined recv($in, my $message, 4096, 0)) { $message =~ s/\\n/ /g; print "$message\\n" }`;

let managers = 0;

/** Stands in for systemd: `heard()` is what it was told, a line a datagram. */
async function startManager() {
  managers += 1;
  const path = join(scratch, `notify${managers}`);
  const program = new Program('perl', ['-e', receiver, path]);
  const heard = () => program.output().split('\n').filter((line) => line && line !== 'bound');
  await eventually('the socket', () => program.output().startsWith('bound'));
  return { path, heard, end: () => program.signal('SIGKILL') };
}

describe('under a service manager', () => {
  let cluster;
  let db;
  before(async () => {
    cluster = await Cluster.start();
    db = await cluster.database();
  });
  after(() => cluster?.end());

  for (const workers of ['1', '2']) {
    it(`it says READY once, WATCHDOG every second, STOPPING (HERALD_WORKERS=${workers})`, async () => {
      const manager = await startManager();
      const relay = await startRelay(db, {
        HERALD_WORKERS: workers, HERALD_DRAIN_SECONDS: '2', NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '3000000',
      });
      await eventually('READY and some beats', () => manager.heard().filter((line) => line === 'WATCHDOG=1').length >= 3);
      assert.equal(manager.heard()[0], 'READY=1');
      await relay.stop();
      await eventually('STOPPING', () => manager.heard().some((line) => /^STOPPING=1 EXTEND_TIMEOUT_USEC=[25]000000$/.test(line)));
      for (const word of [/^READY/, /^STOPPING/]) {
        assert.equal(manager.heard().filter((line) => word.test(line)).length, 1, `${word} is said by one process, once`);
      }
      manager.end();
    });
  }

  it('without WatchdogSec= no beats are sent', async () => {
    const manager = await startManager();
    const relay = await startRelay(db, { NOTIFY_SOCKET: manager.path });
    await eventually('READY', () => manager.heard().length > 0);
    await sleep(1_500);
    assert.deepEqual(manager.heard(), ['READY=1']);
    await relay.stop();
    manager.end();
  });

  it('a manager that is not there does not matter', async () => {
    const relay = await startRelay(db, { NOTIFY_SOCKET: join(scratch, 'nobody'), WATCHDOG_USEC: '3000000' });
    await (await connect(relay, 'alice')).ping();
  });

  it('a worker that hangs is killed and started again, and its clients come back', async () => {
    const relay = await startRelay(db, { HERALD_WORKERS: '2' });
    const [hung] = relay.workers();
    process.kill(hung, 'SIGSTOP');
    await eventually('the log to say so', () => new RegExp(`event=worker_stuck .*worker_pid=${hung} why="no sign of life"`).test(relay.log()), 20_000);
    await eventually('another one', () => relay.workers().length === 2 && !relay.workers().includes(hung));
    await (await connect(relay, 'alice')).settle(db, 'alice');
  });

  it('a supervisor that was stopped for a while does not take its workers for hung', async () => {
    const relay = await startRelay(db, { HERALD_WORKERS: '2' });
    const tab = await connect(relay, 'alice');
    process.kill(relay.pid, 'SIGSTOP');
    await sleep(11_000);
    process.kill(relay.pid, 'SIGCONT');
    await sleep(1_500);
    assert.doesNotMatch(relay.log(), /worker_stuck/);
    assert.equal(tab.closing, null);
    await tab.settle(db, 'alice');
  });
});
