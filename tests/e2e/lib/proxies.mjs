// Real proxies in front of a relay, with the configurations of deploy/proxy or with the least that does it. They speak
// to the relay from an address of their own, so that it can be told from the clients'.
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificate } from './certificate.mjs';
import { account, scratch } from './env.mjs';
import { freePort } from './ports.mjs';
import { Program } from './program.mjs';
import { RawSocket } from './raw.mjs';
import { PATH } from './relay.mjs';
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
async function listening(program, port, { ca, logs } = {}) {
  const proxy = {
    port,
    ca,
    logs,
    url: (path = PATH) => `${ca ? 'wss' : 'ws'}://127.0.0.1:${port}${path}`,
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

/** The file of deploy/proxy, with each text changed for what a test has in its place. */
function deployed(name, changes) {
  let text = readFileSync(new URL(`../../../deploy/proxy/${name}`, import.meta.url), 'utf8');
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`deploy/proxy/${name} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** What a proxy has written so far, on its output and into the files of its folder that end in .log. */
function logsOf(program, folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.log'));
  return [program.output(), ...files.map((name) => readFileSync(join(folder, name), 'utf8'))].join('\n');
}

/** As nginx writes it: of a port, or of a unix socket's file. */
const addressOf = ({ port, path }) => (path ? `unix:${path}` : `127.0.0.1:${port}`);

/** nginx with deploy/proxy/nginx.conf in front of these relays. */
export async function startNginx(...relays) {
  const folder = newFolder('nginx');
  const port = await freePort();
  const { cert, key } = certificate('nginx');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
  const site = deployed('nginx.conf', {
    'server 127.0.0.1:8000 max_fails=0;': relays.map((relay) => `server ${addressOf(relay)} max_fails=0;`).join(' '),
    ...(relays[0].path ? {} : { 'proxy_pass http://herald;': `proxy_pass http://herald; proxy_bind ${PROXY_ADDRESS};` }),
    'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
    '/etc/ssl/app.example.org.crt': cert,
    '/etc/ssl/app.example.org.key': key,
    '/var/log/nginx/': `${folder}/`,
  });
  writeFileSync(join(folder, 'nginx.conf'), `daemon off;
pid ${folder}/pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  ${temporary}
  ${site}
}
`);
  const program = new Program(findProgram('nginx'), ['-e', join(folder, 'start.log'), '-c', join(folder, 'nginx.conf')]);
  return listening(program, port, { ca: readFileSync(cert), logs: () => logsOf(program, folder) });
}

/** HAProxy with deploy/proxy/haproxy.cfg in front of one relay or two. */
export async function startHaproxyTls(...relays) {
  const folder = newFolder('haproxy');
  const port = await freePort();
  const { cert, key } = certificate('haproxy');
  writeFileSync(join(folder, 'both.pem'), readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
  writeFileSync(join(folder, 'haproxy.cfg'), deployed('haproxy.cfg', {
    'maxconn 20000': 'maxconn 200',
    'bind :443': `bind 127.0.0.1:${port}`,
    '/etc/haproxy/app.example.org.pem': join(folder, 'both.pem'),
    '127.0.0.1:8000': `127.0.0.1:${relays[0].port} source ${PROXY_ADDRESS}`,
    '    server relay2 127.0.0.1:8001 check\n': relays[1] ? `    server relay2 127.0.0.1:${relays[1].port} source ${PROXY_ADDRESS} check\n` : '',
  }));
  const program = new Program(findProgram('haproxy'), ['-db', '-f', join(folder, 'haproxy.cfg')]);
  return listening(program, port, { ca: readFileSync(cert), logs: () => logsOf(program, folder) });
}

/** HAProxy with the least that passes TCP or HTTP on; `server` is the end of its server line, `more` are further lines. */
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
