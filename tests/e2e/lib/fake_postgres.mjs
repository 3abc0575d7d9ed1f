// Servers that speak PostgreSQL's protocol as far as the question whether there is TLS.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';

/** Answers each connection's first message; ends with the test. Returns the URL of a database there. */
async function serve(t, answer) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('data', () => answer(socket));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return `postgresql:///x?hostaddr=127.0.0.1&port=${server.address().port}&user=relay`;
}

/** It has no TLS. */
export const plainServer = (t) => serve(t, (socket) => socket.write('N'));

/** It has TLS, with a certificate (`{cert, key}` are paths). */
export const tlsServer = (t, { cert, key }) => serve(t, (socket) => {
  socket.write('S');
  new tls.TLSSocket(socket, { isServer: true, cert: readFileSync(cert), key: readFileSync(key) }).on('error', () => {});
});
