// A tab: a WebSocket client that keeps every frame in order, hands each out once,
// holds every frame against its exact shape, and says what it saw when it waited in vain.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { frameComplaint } from './shapes.mjs';
import { within } from './wait.mjs';
import { CANARY, PATH } from './relay.mjs';

/** The guide's token. */
export const devToken = (user) => `dummy-jwt-for-${user}`;

let refs = 0;

function takeFirst(frames, type, matches) {
  const i = frames.findIndex((frame) => (type === null || frame.type === type) && matches(frame));
  return i < 0 ? undefined : frames.splice(i, 1)[0];
}

export class Client {
  /**
   * Dials without waiting. `token` goes `via` 'query' (the guide's way), 'header' or 'frame';
   * `origin`, `headers`, `protocols` and `socket` (options of ws) as they are.
   */
  constructor(relay, { token, via = 'query', path = PATH, query = '', origin, headers = {}, protocols = [], socket = {} } = {}) {
    const params = via === 'query' && token !== undefined ? `token=${encodeURIComponent(token)}` : '';
    const search = [params, query].filter(Boolean).join('&');
    const auth = via === 'header' && token !== undefined ? { Authorization: `Bearer ${token}` } : {};
    this.frames = []; // all, for messages of failures
    this.pending = []; // not yet handed out
    this.waiters = [];
    this.complaint = null;
    this.closing = null;
    this.pings = 0;
    this.socket = new WebSocket(relay.url(path) + (search && `?${search}`), protocols, {
      perMessageDeflate: false,
      skipUTF8Validation: false,
      maxPayload: 64 * 1024 * 1024,
      origin,
      ca: relay.ca,
      headers: { 'X-Canary': CANARY, ...auth, ...headers },
      ...socket,
    });
    this.opened = new Promise((resolve) => this.socket.once('open', () => resolve('open')));
    this.closed = new Promise((resolve) => this.socket.once('close', (code, reason) => {
      this.closing = { code, reason: reason.toString() };
      resolve(this.closing);
      this.#wake();
    }));
    this.refused = new Promise((resolve) => this.socket.once('unexpected-response', (request, response) => {
      response.resume();
      request.destroy();
      resolve({ status: response.statusCode });
    }));
    this.socket.on('error', (error) => (this.error = error));
    this.socket.on('ping', () => (this.pings += 1));
    this.socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    if (via === 'frame' && token !== undefined) {
      this.socket.once('open', () => this.send({ type: 'authenticate', token }));
    }
  }

  #receive(data, isBinary) {
    const raw = data.toString();
    let frame;
    try {
      frame = JSON.parse(raw);
    } catch {
      frame = { type: '(not JSON)' };
      this.complaint ??= `a frame is not JSON: ${raw.slice(0, 300)}`;
    }
    if (isBinary) this.complaint ??= 'a frame is binary';
    if (typeof frame.type !== 'string') this.complaint ??= `a frame has no type: ${raw.slice(0, 300)}`;
    const wrong = frameComplaint(frame);
    if (wrong) this.complaint ??= `a frame is not as specified: ${wrong}`;
    if (this.frames.length === 0 && !['connected', 'error'].includes(frame.type)) {
      this.complaint ??= `the first frame is ${frame.type}`;
    }
    Object.defineProperty(frame, 'raw', { value: raw }); // not enumerable: not compared
    this.frames.push(frame);
    this.pending.push(frame);
    this.#wake();
  }

  #wake() {
    for (const waiter of [...this.waiters]) waiter();
  }

  /** Takes the first frame of the type that matches, waiting for it; others stay for later calls. */
  async next(type, matches = () => true, timeout_ms = 5_000) {
    let waiter;
    const arrival = new Promise((resolve, reject) => {
      // Leaves the list before it resolves: several frames may come in one turn, and each is handed out once.
      const done = (settle, value) => {
        this.waiters.splice(this.waiters.indexOf(waiter), 1);
        settle(value);
      };
      waiter = () => {
        if (this.complaint) return done(reject, new Error(`${this.complaint}\n${this.seen()}`));
        const frame = takeFirst(this.pending, type, matches);
        if (frame) done(resolve, frame);
        else if (this.closing) done(reject, new Error(`closed with ${this.closing.code} "${this.closing.reason}" before ${type ?? 'a frame'}\n${this.seen()}`));
      };
      this.waiters.push(waiter);
      waiter();
    });
    try {
      return await within(timeout_ms, () => `${type ?? 'a frame'} ${matches}\n${this.seen()}`, arrival);
    } catch (error) {
      this.waiters = this.waiters.filter((other) => other !== waiter);
      throw error;
    }
  }

  /** The next `n` frames of a type, in their order. */
  async take(n, type, matches, timeout_ms) {
    const frames = [];
    while (frames.length < n) frames.push(await this.next(type, matches, timeout_ms));
    return frames;
  }

  /** Frames of a type that have come and were not taken. */
  left(type) {
    if (this.complaint) throw new Error(this.complaint);
    return this.pending.filter((frame) => frame.type === type);
  }

  forget() {
    this.pending = [];
  }

  seen() {
    const lines = this.frames.slice(-40).map((frame) => `  ${frame.raw.slice(0, 300)}`);
    return `frames seen: ${this.frames.length}\n${lines.join('\n')}`;
  }

  send(message) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Sends with a ref of its own; the first frame that carries it back. */
  async ask(message, timeout_ms) {
    refs += 1;
    const ref = `r${refs}`;
    this.send({ ...message, ref, canary: CANARY });
    return this.next(null, (frame) => frame.ref === ref, timeout_ms);
  }

  /** Everything the server had written to this connection before now has arrived. */
  async ping() {
    const frame = await this.ask({ type: 'ping' });
    assert.equal(frame.type, 'pong');
    return frame;
  }

  /**
   * Every change committed before now has arrived: the feed hands one snapshot's rows out
   * before it reads the next, so what precedes the first marker is here when the second is.
   */
  async settle(db, user, timeout_ms) {
    for (let i = 0; i < 2; i += 1) {
      refs += 1;
      const n = refs;
      await db.sql('select herald.broadcast_to_user($1, $2::json)', [`u-${user}`, `{"type":"e2e_marker","n":${n}}`]);
      await this.next('e2e_marker', (frame) => frame.n === n, timeout_ms);
    }
  }

  async close() {
    this.socket.close(1000);
    return this.closed;
  }
}

/** A logged-in tab; `client.welcome` is its `connected` frame. */
export async function connect(relay, user, options = {}) {
  const client = new Client(relay, { token: devToken(user), ...options });
  client.welcome = await client.next('connected');
  return client;
}

/** How a dial ends: 'connected', `{status}` of an HTTP refusal, or `{code}` of a close. */
export async function outcome(relay, options, timeout_ms = 5_000) {
  const client = new Client(relay, options);
  const result = await within(timeout_ms, () => `an end of the dial\n${client.seen()}`, Promise.race([
    client.next('connected', undefined, timeout_ms).then(() => 'connected', () => new Promise(() => {})),
    client.refused,
    client.closed.then(({ code }) => ({ code })),
  ])).finally(() => client.socket.terminate());
  if (client.complaint) throw new Error(client.complaint);
  return result;
}

/** A client's state made of frames, as the protocol says a client should make it. */
export class Mirror {
  constructor() {
    this.rows = new Map();
  }

  apply(frame) {
    if (frame.type === 'resumed' && frame.resync) this.rows.clear();
    else if (frame.type === 'notification_deleted') this.rows.delete(frame.notification_id);
    else if (frame.notification) this.#keep(frame.notification);
    else if (frame.notifications) frame.notifications.forEach((row) => this.#keep(row));
    return this;
  }

  #keep(row) {
    const known = this.rows.get(row.id);
    if (!known || known.version < row.version) this.rows.set(row.id, row);
  }

  versions() {
    return Object.fromEntries([...this.rows].map(([id, row]) => [id, row.version]));
  }
}

/** All of a user's notifications through the protocol, page by page. */
export async function readAll(client, type = 'get_notifications', limit = 100) {
  const rows = [];
  let before;
  do {
    const page = await client.ask({ type, limit, ...(before && { before }) });
    rows.push(...page.notifications);
    before = page.next;
  } while (before);
  return rows;
}
