// A connection that may say anything, over TLS if its relay does that itself: handshakes and frames made by hand,
// for what no well-behaved client would send.
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { within } from './wait.mjs';
import { PATH } from './relay.mjs';

/** One WebSocket frame (RFC 6455 §5.2), masked as a client's must be. */
export function frame(payload, { opcode = 1, fin = true, rsv = 0, mask = true, length } = {}) {
  const body = Buffer.from(payload);
  const size = length ?? body.length;
  const head = [Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode])];
  const bit = mask ? 0x80 : 0;
  if (size < 126) head.push(Buffer.from([bit | size]));
  else if (size < 65_536) head.push(Buffer.from([bit | 126, size >> 8, size & 255]));
  else {
    const long = Buffer.alloc(9);
    long[0] = bit | 127;
    long.writeBigUInt64BE(BigInt(size), 1);
    head.push(long);
  }
  if (!mask) return Buffer.concat([...head, body]);
  const key = randomBytes(4);
  return Buffer.concat([...head, key, body.map((byte, i) => byte ^ key[i & 3])]);
}

export class RawSocket {
  constructor(relay, options = {}) {
    this.data = Buffer.alloc(0);
    this.ended = false;
    const { port, ca } = relay;
    this.socket = (ca ? tls : net).connect({ host: '127.0.0.1', port, ca, ...options });
    this.connected = new Promise((resolve) => this.socket.once(ca ? 'secureConnect' : 'connect', resolve));
    this.waiters = [];
    this.socket.on('data', (chunk) => {
      this.data = Buffer.concat([this.data, chunk]);
      this.#wake();
    });
    this.socket.on('error', (error) => (this.error = error));
    this.end = new Promise((resolve) => {
      const done = () => {
        this.ended = true;
        this.#wake();
        resolve();
      };
      this.socket.once('end', done);
      this.socket.once('close', done);
    });
  }

  #wake() {
    for (const waiter of [...this.waiters]) waiter();
  }

  write(data) {
    return new Promise((resolve) => this.socket.write(data, () => resolve()));
  }

  /** What `parse` makes of the bytes so far, once it makes something; then they are consumed. */
  async #read(what, parse, timeout_ms) {
    let waiter;
    const result = new Promise((resolve, reject) => {
      const done = (settle, value) => {
        this.waiters.splice(this.waiters.indexOf(waiter), 1);
        settle(value);
      };
      waiter = () => {
        const found = parse(this.data);
        if (found) {
          this.data = this.data.subarray(found.used);
          done(resolve, found);
        } else if (this.ended) done(reject, new Error(`connection ended before ${what}`));
      };
      this.waiters.push(waiter);
      waiter();
    });
    try {
      return await within(timeout_ms, () => `${what}; have ${this.data.length} bytes: ${this.data.subarray(0, 200).toString('latin1')}`, result);
    } catch (error) {
      this.waiters = this.waiters.filter((other) => other !== waiter);
      throw error;
    }
  }

  /** An HTTP response with its body by Content-Length: `{status, head, body}`. */
  response(timeout_ms = 5_000) {
    return this.#read('an HTTP response', (data) => {
      const text = data.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return null;
      const head = text.slice(0, end);
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      if (data.length < end + 4 + length) return null;
      return { used: end + 4 + length, status: Number(head.split(' ')[1]), head, body: text.slice(end + 4, end + 4 + length) };
    }, timeout_ms);
  }

  /** The server's next frame: `{opcode, payload, code}`, `code` for a close frame. */
  frame(timeout_ms = 5_000) {
    return this.#read('a frame', (data) => {
      if (data.length < 2) return null;
      let size = data[1] & 127;
      let at = 2;
      if (size === 126) {
        if (data.length < 4) return null;
        size = data.readUInt16BE(2);
        at = 4;
      } else if (size === 127) {
        if (data.length < 10) return null;
        size = Number(data.readBigUInt64BE(2));
        at = 10;
      }
      if (data.length < at + size) return null;
      const payload = data.subarray(at, at + size);
      const opcode = data[0] & 15;
      return { used: at + size, opcode, payload, code: opcode === 8 && size >= 2 ? payload.readUInt16BE(0) : undefined };
    }, timeout_ms);
  }

  /** Skips frames up to one of this opcode. */
  async frameOf(opcode, timeout_ms) {
    for (;;) {
      const got = await this.frame(timeout_ms);
      if (got.opcode === opcode) return got;
    }
  }

  /** How the server ended it: a close code, or 'eof' without a close frame. */
  async closeCode(timeout_ms = 5_000) {
    try {
      return (await this.frameOf(8, timeout_ms)).code;
    } catch (error) {
      if (this.ended) return 'eof';
      throw error;
    }
  }

  destroy() {
    this.socket.destroy();
  }
}

/** The text of an upgrade request. */
export function upgradeRequest(relay, { path = PATH, token, headers = {} } = {}) {
  const all = {
    Host: `127.0.0.1:${relay.port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}`);
  const search = token === undefined ? '' : `?token=${encodeURIComponent(token)}`;
  return `GET ${path}${search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** A raw connection after a successful handshake. */
export async function rawUpgrade(relay, options = {}) {
  const raw = new RawSocket(relay);
  const key = randomBytes(16).toString('base64');
  await raw.write(upgradeRequest(relay, { ...options, headers: { 'Sec-WebSocket-Key': key, ...options.headers } }));
  const answer = await raw.response();
  if (answer.status !== 101) throw new Error(`handshake: ${answer.status}`);
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  if (!answer.head.includes(accept)) throw new Error(`handshake: wrong Sec-WebSocket-Accept\n${answer.head}`);
  return raw;
}
