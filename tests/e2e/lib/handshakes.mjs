// Handshakes that no browser sends, as a table: `[name, head, outcome, outcome with HERALD_AUTH_REJECT=http]`. Where
// the relay itself decides, the outcome is exact; what libwebsockets decides may differ between its versions.
import { devToken } from './client.mjs';
import { frame, upgradeRequest } from './raw.mjs';
import { PATH } from './relay.mjs';

/** Upgraded and logged in as alice, whose good token is in the request. */
export const CONNECTED = 'connected';
/** Upgraded, but nobody: the first message that is no `authenticate` closes with 4000. */
export const NOBODY = 'nobody';
/** An HTTP status of 400 or more, or the end of the connection. */
export const REFUSED = 'refused';
/** Odd, but with a good token: let in as alice, or refused. */
export const EITHER = 'either';

const TOKEN = devToken('alice');

export function handshakes(relay) {
  const host = `Host: 127.0.0.1:${relay.port}`;
  const bearer = `Authorization: Bearer ${TOKEN}`;
  const good = upgradeRequest(relay, { token: TOKEN });
  const headers = (changed, options) => upgradeRequest(relay, { token: TOKEN, headers: changed, ...options });
  const and = (line, head = good) => head.replace('\r\n\r\n', `\r\n${line}\r\n\r\n`);
  const plain = (method, line) => `${method} /healthz HTTP/1.1\r\n${host}\r\n${line}\r\n\r\n`;
  const path = (changed) => headers({}, { path: changed });
  const query = (text) => headers({}, { token: undefined, path: `${PATH}?${text}` });
  const withoutToken = (changed) => headers(changed, { token: undefined });
  const names = (change) => good.replace(/^[A-Z][\w-]+:/gm, change);
  const then = (...more) => Buffer.concat([good, ...more].map((part) => Buffer.from(part)));

  return [
    // Host, Upgrade, Connection
    ['no Host', headers({ Host: undefined }), REFUSED, REFUSED],
    ['two Hosts', and('Host: evil.example'), 400, 400],
    ['two Hosts, the same', and(host), 400, 400],
    ['no Upgrade', headers({ Upgrade: undefined }), 400, 400],
    ['Upgrade: foobar', headers({ Upgrade: 'foobar' }), REFUSED, REFUSED],
    ['Upgrade: h2c', headers({ Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABk' }), 400, 400],
    ['Upgrade: websocket, h2c', headers({ Upgrade: 'websocket, h2c' }), REFUSED, REFUSED],
    ['Upgrade twice', and('Upgrade: websocket'), 400, 400],
    ['Upgrade: WebSocket', headers({ Upgrade: 'WebSocket' }), CONNECTED, CONNECTED],
    ['no Connection', headers({ Connection: undefined }), 400, 400],
    ['Connection: close', headers({ Connection: 'close' }), 400, 400],
    ['Connection: keep-alive, Upgrade', headers({ Connection: 'keep-alive, Upgrade' }), CONNECTED, CONNECTED],
    // Sec-WebSocket-*
    ['no key', headers({ 'Sec-WebSocket-Key': undefined }), REFUSED, REFUSED],
    ['an empty key', headers({ 'Sec-WebSocket-Key': '' }), REFUSED, REFUSED],
    ['a key of 3 bytes', headers({ 'Sec-WebSocket-Key': 'AAAA' }), 400, 400],
    ['a key of 17 bytes', headers({ 'Sec-WebSocket-Key': 'A'.repeat(23).concat('=') }), 400, 400],
    ['a key of 200 characters', headers({ 'Sec-WebSocket-Key': 'A'.repeat(200) }), REFUSED, REFUSED],
    ['a key that is no base64', headers({ 'Sec-WebSocket-Key': `${'!'.repeat(22)}==` }), 400, 400],
    ['two keys', and('Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='), 400, 400],
    ['no version', headers({ 'Sec-WebSocket-Version': undefined }), 400, 400],
    ['version 12', headers({ 'Sec-WebSocket-Version': '12' }), 400, 400],
    ['version 14', headers({ 'Sec-WebSocket-Version': '14' }), 400, 400],
    ['versions 13 and 8', headers({ 'Sec-WebSocket-Version': '13, 8' }), 400, 400],
    ['version 13, then 8', and('Sec-WebSocket-Version: 8'), 400, 400],
    ['compression offered', headers({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }), CONNECTED, CONNECTED],
    ['extensions of 4 kB', headers({ 'Sec-WebSocket-Extensions': 'x; '.repeat(1400) }), EITHER, EITHER],
    ['fifty subprotocols', headers({ 'Sec-WebSocket-Protocol': Array(50).fill('p').join() }), EITHER, EITHER],
    ['subprotocols that are only commas', headers({ 'Sec-WebSocket-Protocol': ',,,' }), EITHER, EITHER],
    // the request line
    ['HTTP/1.0', good.replace('HTTP/1.1', 'HTTP/1.0'), 400, 400],
    ['HTTP/2.0', good.replace('HTTP/1.1', 'HTTP/2.0'), 400, 400],
    ['no version of HTTP', good.replace(' HTTP/1.1', ''), 400, 400],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', REFUSED, 400],
    ['the same before a good one', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${good}`, REFUSED, 400],
    ['POST', good.replace('GET', 'POST'), REFUSED, 404],
    ['HEAD', good.replace('GET', 'HEAD'), REFUSED, 404],
    ['CONNECT', good.replace('GET', 'CONNECT'), REFUSED, 404],
    ['get', good.replace('GET', 'get'), EITHER, 404],
    ['a space before it', ` ${good}`, REFUSED, 400],
    ['empty lines before it', `\r\n\r\n${good}`, REFUSED, 400],
    ['a line of the PROXY protocol before it', `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${good}`, EITHER, 400],
    ['tabs for spaces', good.replace('GET ', 'GET\t'), REFUSED, 400],
    // the path
    ['an absolute URI', path(`http://127.0.0.1:${relay.port}${PATH}`), 400, 400],
    ['*', path('*'), 400, 400],
    ['// before the path', path(`/${PATH}`), EITHER, 404],
    ['/./ before the path', path(`/.${PATH}`), EITHER, 404],
    ['/x/../ before the path', path(`/x/..${PATH}`), EITHER, 404],
    ['a percent-encoded letter', path(PATH.replace('ws', '%77s')), EITHER, 404],
    ['a percent-encoded slash', path(PATH.replace('/ws', '%2fws')), EITHER, 404],
    ['a backslash', path(PATH.replace('/ws', '\\ws')), REFUSED, 404],
    ['/ behind the path', path(`${PATH}/`), 404, 404],
    ['; behind the path', path(`${PATH};x`), 404, 404],
    ['%00 behind the path', path(`${PATH}%00`), 400, 400],
    ['# behind the path', path(`${PATH}#x`), 404, 404],
    ['capitals', path(PATH.toUpperCase()), 404, 404],
    // the query
    ['%00 behind the token', query(`token=${TOKEN}%00x`), 400, 400],
    ['%00 before the token', query(`%00=x&token=${TOKEN}`), 400, 400],
    ['NUL in the query', good.replace('token=', 'x=\u0000&token='), REFUSED, 400],
    ['a bad percent-encoding', query(`token=${TOKEN}%zz`), 400, 400],
    ['a percent sign at the end', query(`token=${TOKEN}%`), 400, 400],
    ['a bad token, then a good one', query(`token=garbage&token=${TOKEN}`), 400, 400],
    ['Token', query(`Token=${TOKEN}`), NOBODY, 403],
    ['xtoken', query(`xtoken=${TOKEN}`), NOBODY, 403],
    ['??token', query(`?token=${TOKEN}`), NOBODY, 403],
    ['a thousand arguments before the token', query(`${'a=b&'.repeat(1000)}token=${TOKEN}`), EITHER, EITHER],
    // the token elsewhere
    ['no token', withoutToken({}), NOBODY, 403],
    ['a token in a cookie', withoutToken({ Cookie: `token=${TOKEN}` }), NOBODY, 403],
    ['a token in Proxy-Authorization', withoutToken({ 'Proxy-Authorization': `Bearer ${TOKEN}` }), NOBODY, 403],
    ['a token in X-Authorization', withoutToken({ 'X-Authorization': `Bearer ${TOKEN}` }), NOBODY, 403],
    ['a user in X-Forwarded-User', withoutToken({ 'X-Forwarded-User': 'u-alice' }), NOBODY, 403],
    ['a token as the subprotocol', withoutToken({ 'Sec-WebSocket-Protocol': `pgherald.v1, ${TOKEN}` }), NOBODY, 403],
    ['a bad header, a good query', headers({ Authorization: 'Bearer garbage' }), 4000, 403],
    ['a good header, then a bad one', and('Authorization: Bearer x', and(bearer, withoutToken({}))), 400, 400],
    ['a bad header, then a good one', and(bearer, withoutToken({ Authorization: 'Bearer x' })), 400, 400],
    // bodies, and requests within requests
    ['Content-Length: 0', and('Content-Length: 0'), CONNECTED, CONNECTED],
    ['a body', `${and('Content-Length: 5')}hello`, 400, 400],
    ['a chunked body', `${and('Transfer-Encoding: chunked')}0\r\n\r\n`, 400, 400],
    ['a body of two kinds', `${and('Content-Length: 5\r\nTransfer-Encoding: chunked')}0\r\n\r\n`, 400, 400],
    ['two Content-Lengths', `${and('Content-Length: 0\r\nContent-Length: 5')}hello`, 400, 400],
    ['Content-Length: +5', `${and('Content-Length: +5')}hello`, 400, 400],
    ['a handshake in the body of a GET', `${plain('GET', `Content-Length: ${good.length}`)}${good}`, 200, 200],
    ['a handshake behind a body of two kinds',
      `${plain('POST', 'Content-Length: 4\r\nTransfer-Encoding: chunked')}0\r\n\r\n${good}`, 405, 405],
    ['Expect: 100-continue', and('Expect: 100-continue'), EITHER, EITHER],
    // the form of headers
    ['lower-case names', names((name) => name.toLowerCase()), CONNECTED, CONNECTED],
    ['upper-case names', names((name) => name.toUpperCase()), CONNECTED, CONNECTED],
    ['a folded header', good.replace('Upgrade: websocket', 'Upgrade:\r\n websocket'), REFUSED, 400],
    ['a header folded into another', good.replace('Upgrade: websocket', 'X: y\r\n Upgrade: websocket'), REFUSED, 400],
    ['a space before the colon', good.replace('Upgrade:', 'Upgrade :'), REFUSED, 400],
    ['a line without a colon', and('garbage'), REFUSED, 400],
    ['an empty name', and(': x'), REFUSED, 400],
    ['NUL in a name', and('X\u0000: a'), EITHER, 400],
    ['NUL in a value', and('X: a\u0000b'), REFUSED, 400],
    ['bare LF', good.replaceAll('\r\n', '\n'), EITHER, 400],
    ['bare CR', good.replaceAll('\r\n', '\r'), REFUSED, 400],
    ['500 headers', and(Array.from({ length: 500 }, (_, i) => `X-${i}: y`).join('\r\n')), EITHER, EITHER],
    ['17 kB of a header', headers({ 'X-Pad': 'x'.repeat(17_000) }), REFUSED, 431],
    ['a name of 20 kB', and(`${'X'.repeat(20_000)}: y`), REFUSED, 431],
    // another protocol
    ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003', REFUSED, 400],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n', REFUSED, 400],
    // what comes behind a good one
    ['a good one', good, CONNECTED, CONNECTED],
    ['a message right behind it', then(frame('{"type":"ping"}')), CONNECTED, CONNECTED],
    ['another handshake right behind it', then(good), EITHER, EITHER],
  ];
}
