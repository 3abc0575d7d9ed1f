// The Origin header of a handshake, well-formed and hostile, against the three kinds of HERALD_ALLOWED_ORIGINS: 403
// before the upgrade for everybody who is not named exactly. browser.test.mjs has the same from real pages.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { devToken } from './lib/client.mjs';
import { Cluster } from './lib/postgres.mjs';
import { RawSocket, upgradeRequest } from './lib/raw.mjs';
import { startRelay } from './lib/relay.mjs';

const CONFIGURED = ['none, so the same host', 'a list', '*'];
const LIST = 'https://app.example.com,http://localhost:3000 https://[2001:db8::1]:8443 https://xn--bcher-kva.example';

/** `[name, values of Origin headers, let in by each of CONFIGURED]`; `own` is the relay's host and port. */
const origins = (own) => [
  ['no Origin: a program', [], true, true, true],
  ['the own host', [`http://${own}`], true, false, true],
  ['the own host over TLS, ended by a proxy', [`https://${own}`], true, false, true],
  ['another port', ['http://127.0.0.1:1'], false, false, true],
  ['the own host without its port', ['http://127.0.0.1'], false, false, true],
  ['the own host as the start of another', [`http://${own}.evil.example`], false, false, true],
  ['the own host as a user name', [`http://${own}@evil.example`], false, false, true],
  ['the own host in a query', [`http://evil.example/?${own}`], false, false, true],
  ['the own host behind a second ://', [`http://evil.example://${own}`], false, false, true],
  ['null', ['null'], false, false, true],
  ['a file', ['file://'], false, false, true],
  ['an extension', ['chrome-extension://abcdefghijklmnop'], false, false, true],
  ['* written out', ['*'], false, false, true],
  ['a listed one', ['https://app.example.com'], false, true, true],
  ['another listed one', ['http://localhost:3000'], false, true, true],
  ['a listed one in capitals', ['HTTPS://APP.example.com'], false, true, true],
  ['a listed IPv6 address', ['https://[2001:db8::1]:8443'], false, true, true],
  ['the same address spelt otherwise', ['https://[2001:db8:0::1]:8443'], false, false, true],
  ['a listed name beyond ASCII', ['https://xn--bcher-kva.example'], false, true, true],
  ['the same name as it is shown', ['https://b\u00fccher.example'], false, false, true],
  ['another scheme', ['http://app.example.com'], false, false, true],
  ['another port of a listed one', ['https://app.example.com:8443'], false, false, true],
  ['the port of the scheme written out', ['https://app.example.com:443'], false, false, true],
  ['a longer port', ['http://localhost:30001'], false, false, true],
  ['a subdomain', ['https://evil.app.example.com'], false, false, true],
  ['the parent domain', ['https://example.com'], false, false, true],
  ['a listed one as the start of another', ['https://app.example.com.evil.example'], false, false, true],
  ['a listed one as the end of another', ['https://evilapp.example.com'], false, false, true],
  ['a listed one as a user name', ['https://app.example.com@evil.example'], false, false, true],
  ['a user name before a listed one', ['https://evil@app.example.com'], false, false, true],
  ['a backslash before a listed one', ['https://evil.example\\@app.example.com'], false, false, true],
  ['a dot at the end', ['https://app.example.com.'], false, false, true],
  ['a slash at the end', ['https://app.example.com/'], false, false, true],
  ['a path', ['https://app.example.com/page'], false, false, true],
  ['two listed ones in one header', ['https://app.example.com http://localhost:3000'], false, false, true],
  ['the list in one header', ['https://app.example.com,http://localhost:3000'], false, false, true],
  ['two headers, the listed one first', ['https://app.example.com', 'https://evil.example'], false, false, true],
  ['two headers, the listed one last', ['https://evil.example', 'https://app.example.com'], false, false, true],
  ['two headers of the own host', [`http://${own}`, `http://${own}`], false, false, true],
  ['4 kB', [`https://${'a'.repeat(4096)}.example`], false, false, true],
];

describe('origins', () => {
  let cluster;
  const relays = [];
  before(async () => {
    cluster = await Cluster.start();
    const db = await cluster.database();
    for (const listed of [undefined, LIST, '*']) {
      relays.push(await startRelay(db, { HERALD_ALLOWED_ORIGINS: listed, HERALD_MAX_CONNECTIONS_PER_USER: '1000' }));
    }
  });
  after(() => cluster?.end());

  async function status(relay, values) {
    const socket = new RawSocket(relay);
    const lines = values.map((value) => `\r\nOrigin: ${value}`).join('');
    const head = upgradeRequest(relay, { token: devToken('alice') }).replace('\r\n\r\n', `${lines}\r\n\r\n`);
    await socket.write(Buffer.from(head, 'latin1'));
    const answer = await socket.response();
    socket.destroy();
    return answer.status;
  }

  for (const [name] of origins('')) {
    it(name, async () => {
      for (const [i, relay] of relays.entries()) {
        const [, values, ...letIn] = origins(`127.0.0.1:${relay.port}`).find((row) => row[0] === name);
        assert.equal(await status(relay, values), letIn[i] ? 101 : 403, `configured: ${CONFIGURED[i]}`);
      }
    });
  }
});
