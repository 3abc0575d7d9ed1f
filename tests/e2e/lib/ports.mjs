// Free TCP ports. A port is free for a while before its server listens, and again while that restarts, and test files
// run several at a time: so each process takes its ports from blocks that it has to itself.
import net from 'node:net';

// Below the ephemeral range: no outgoing connection has one.
const [FIRST, END, BLOCK] = [10_000, 30_000, 100];

const left = [];
let claim;

/** A server that listens on that port, or undefined if another one does. */
const listen = (port) => new Promise((resolve) => {
  const server = net.createServer();
  server.once('error', () => resolve());
  server.listen(port, '127.0.0.1', () => resolve(server));
});

/** Listening on a block's first port, until this process ends, says that the block is taken. */
async function takeBlock() {
  for (;;) {
    const first = FIRST + BLOCK * Math.floor(Math.random() * ((END - FIRST) / BLOCK));
    const sign = await listen(first);
    if (!sign) continue;
    sign.unref();
    for (let port = first + 1; port < first + BLOCK; port += 1) left.push(port);
    return;
  }
}

/** A TCP port of 127.0.0.1 that is free, and that nothing else of these tests is given. */
export async function freePort() {
  for (;;) {
    if (!left.length) {
      claim ??= takeBlock().finally(() => { claim = undefined; });
      await claim;
      continue;
    }
    const port = left.shift();
    const server = await listen(port);
    if (!server) continue;
    await new Promise((closed) => server.close(closed));
    return port;
  }
}
