// Real proxies in front of a relay, each with the least configuration that does it. They speak to the relay from an
// address of their own, so that it can be told from the clients'.
import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { account, scratch } from './env.mjs';
import { Program } from './program.mjs';
import { RawSocket } from './raw.mjs';
import { freePort } from './relay.mjs';
import { eventually } from './wait.mjs';

/** Where they connect from. */
export const PROXY_ADDRESS = '127.0.0.9';

let count = 0;

function findProgram(name) {
  const path = ['/usr/sbin', '/usr/bin', '/usr/local/sbin'].map((folder) => join(folder, name)).find(existsSync);
  if (!path) throw new Error(`${name} is missing: install the package ${name}`);
  return path;
}

function newFolder(name) {
  count += 1;
  const folder = join(scratch, `${name}${count}`);
  mkdirSync(folder, { mode: 0o755 });
  if (account.uid !== undefined) chownSync(folder, account.uid, account.gid);
  return folder;
}

/** What tests dial instead of the relay. */
async function listening(program, port) {
  const proxy = {
    port,
    url: (path) => `ws://127.0.0.1:${port}${path}`,
    end() {
      program.signal('SIGTERM');
      return program.end();
    },
  };
  await eventually('the proxy to listen', async () => {
    if (!program.running) throw new Error(program.output());
    const socket = new RawSocket(proxy);
    const open = await Promise.race([socket.connected.then(() => true), socket.end.then(() => false)]);
    socket.destroy();
    return open;
  });
  return proxy;
}

/** nginx with the lines of docs/OPERATIONS.md. */
export async function startNginx(relay) {
  const folder = newFolder('nginx');
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
  writeFileSync(join(folder, 'nginx.conf'), `daemon off;
pid ${folder}/pid;
error_log stderr;
events {}
http {
  access_log off;
  ${temporary}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${relay.port};
      proxy_bind ${PROXY_ADDRESS};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_read_timeout 1h;
    }
  }
}
`);
  return listening(new Program(findProgram('nginx'), ['-e', 'stderr', '-c', join(folder, 'nginx.conf')]), port);
}

/** HAProxy; `server` is the end of its server line, `more` are further lines. */
export async function startHaproxy(relay, { mode = 'tcp', server = '', more = '' } = {}) {
  const folder = newFolder('haproxy');
  const port = await freePort();
  writeFileSync(join(folder, 'haproxy.cfg'), `global
  maxconn 200
defaults
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
listen relay
  bind 127.0.0.1:${port}
  mode ${mode}
  ${more}
  server relay 127.0.0.1:${relay.port} source ${PROXY_ADDRESS} ${server}
`);
  return listening(new Program(findProgram('haproxy'), ['-db', '-f', join(folder, 'haproxy.cfg')]), port);
}
