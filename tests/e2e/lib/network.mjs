// A network of two namespaces joined by one cable, for faults that only a network has: what arrives at either end is
// let through, lost or refused. Needs root; nothing of it is seen outside, and it goes with its last process.
import { execFileSync, spawnSync } from 'node:child_process';
import { account } from './env.mjs';
import { Program } from './program.mjs';

/** Why there can be no namespaces here; null when there can. */
export function networkTrouble() {
  if (process.getuid() !== 0) return 'network namespaces need root';
  const probe = 'ip link add cable type veth peer name other && nft add table inet t';
  const { error, status, stderr } = spawnSync('unshare', ['--net', 'sh', '-c', probe], { encoding: 'utf8' });
  if (error) return `no network namespaces: ${error.message}`;
  return status === 0 ? null : `no network namespaces: ${stderr.trim()}`;
}

/** One end of the cable. */
class End {
  constructor(address) {
    this.address = address;
    this.holder = new Program('unshare', ['--net', 'sleep', 'infinity'], { user: {} });
    this.namespace = `/proc/${this.holder.pid}/ns/net`;
  }

  /** The command that runs another one at this end, as the servers' account. */
  entering(command, args) {
    return ['nsenter', [`--net=${this.namespace}`, `--setgid=${account.gid}`, `--setuid=${account.uid}`, command, ...args]];
  }

  run(command, args, input) {
    execFileSync('nsenter', [`--net=${this.namespace}`, command, ...args], { input, stdio: ['pipe', 'ignore', 'pipe'] });
  }

  /** What becomes of packets of TCP that arrive here: an nftables statement. */
  meet(statement) {
    this.run('nft', ['-f', '-'], `flush ruleset
      table inet faults {
        chain arriving {
          type filter hook input priority 0
          iifname "cable" meta l4proto tcp ${statement}
        }
      }
    `);
  }
}

export class Network {
  constructor() {
    this.relay = new End('10.99.0.1');
    this.database = new End('10.99.0.2');
    this.#lay();
  }

  #lay() {
    this.relay.run('ip', ['link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', String(this.database.holder.pid)]);
    for (const end of [this.relay, this.database]) {
      end.run('ip', ['address', 'add', `${end.address}/24`, 'dev', 'cable']);
      end.run('ip', ['link', 'set', 'lo', 'up']);
      end.run('ip', ['link', 'set', 'cable', 'up']);
    }
  }

  heal() {
    for (const end of [this.relay, this.database]) end.run('nft', ['flush', 'ruleset']);
  }

  close() {
    for (const end of [this.relay, this.database]) end.holder.signal('SIGKILL');
  }
}
