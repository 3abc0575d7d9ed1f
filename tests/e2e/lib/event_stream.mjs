// A tab on Server-Sent Events: the response's bytes are parsed here, strictly, by the rules of WHATWG HTML §9.2.6, and
// every event is held against the exact shape of its frame. Frames are waited for as on a WebSocket.
import http from 'node:http';
import https from 'node:https';
import { Client, devToken } from './client.mjs';
import { CANARY } from './relay.mjs';
import { frameComplaint } from './shapes.mjs';
import { within } from './wait.mjs';

export const STREAM = '/api/v1/notifications/stream';

/** Text of a stream in; `onEvent({type, data, id})`, `onComment(text)` and `onRetry(ms)` out. */
export class EventParser {
  constructor(on) {
    this.on = on;
    this.rest = '';
    this.id = '';
    this.#clear();
  }

  #clear() {
    this.type = 'message';
    this.data = [];
  }

  push(text) {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return this.on.onComment?.(line.slice(1).trim());
    const [, name, value] = /^(id|event|data|retry): (.*)$/.exec(line) ?? [];
    if (!name) throw new Error(`a line that is no field: ${line.slice(0, 200)}`);
    if (name === 'data') this.data.push(value);
    else if (name === 'event') this.type = value;
    else if (name === 'id') this.id = value;
    else this.on.onRetry?.(Number(value));
  }

  #dispatch() {
    if (this.data.length) this.on.onEvent({ type: this.type, data: this.data.join('\n'), id: this.id });
    this.#clear();
  }
}

/**
 * Opens a stream without waiting. `token` goes `via` 'header' or 'query'; `lastEventId`, `query`, `origin`, `headers`
 * and `method` as they are; `agent` may keep the connection.
 */
export class EventStream {
  constructor(relay, { token, via = 'header', lastEventId, query = '', path = STREAM, origin, headers = {}, method = 'GET', agent = false } = {}) {
    this.frames = [];
    this.pending = [];
    this.waiters = [];
    this.comments = 0;
    this.retries = [];
    this.complaint = null;
    this.closing = null; // {code, reason} of the last event, or of a refusal
    this.lastEventId = lastEventId ?? '';
    const params = via === 'query' && token !== undefined ? `token=${encodeURIComponent(token)}` : '';
    const search = [params, query].filter(Boolean).join('&');
    const given = {
      'X-Canary': CANARY,
      ...(via === 'header' && token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }),
      ...(origin && { Origin: origin }),
      ...headers,
    };
    const where = relay.socketPath ? { socketPath: relay.socketPath } : { host: '127.0.0.1', port: relay.port };
    this.request = (relay.ca ? https : http).request({ ...where, ca: relay.ca, path: path + (search && `?${search}`), method, headers: given, agent });
    this.opened = new Promise((resolve) => this.request.once('response', resolve));
    this.ended = new Promise((resolve) => {
      this.request.once('close', () => {
        this.closing ??= { code: 1006, reason: '' };
        resolve(this.closing);
        this.#wake();
      });
    });
    this.request.on('error', (error) => (this.error = error));
    this.request.once('response', (response) => this.#answered(response));
    this.request.end();
  }

  #answered(response) {
    const parser = new EventParser({
      onEvent: (event) => this.#receive(event),
      onComment: () => (this.comments += 1),
      onRetry: (ms) => this.retries.push(ms),
    });
    this.response = response;
    response.setEncoding('utf8');
    response.on('error', () => {});
    response.on('data', (text) => {
      if (!this.isOpen) return (this.body = (this.body ?? '') + text);
      try {
        parser.push(text);
      } catch (error) {
        this.complaint ??= error.message;
        this.#wake();
      }
    });
  }

  get isOpen() {
    return this.response?.statusCode === 200;
  }

  #receive({ type, data, id }) {
    if (type === 'close') {
      this.closing = JSON.parse(data);
      this.lastEventId = id;
      return this.#wake();
    }
    const frame = JSON.parse(data);
    Object.defineProperty(frame, 'raw', { value: data });
    if (type !== 'message') this.complaint ??= `an event of type ${type}`;
    this.complaint ??= frameComplaint(frame);
    if (this.frames.length === 0 && frame.type !== 'connected') this.complaint ??= `the first frame is ${frame.type}`;
    if (frame.cursor !== undefined && !frame.application && frame.cursor !== id) {
      this.complaint ??= `the id of an event is ${id}, its cursor ${frame.cursor}`;
    }
    this.lastEventId = id;
    this.frames.push(frame);
    this.pending.push(frame);
    this.#wake();
  }

  #wake() {
    for (const waiter of [...this.waiters]) waiter();
  }

  /** The status and problem of a request that became no stream. */
  async refusal() {
    const response = await within(5_000, () => 'a response', this.opened);
    await this.ended;
    return { status: response.statusCode, headers: response.headers, problem: this.body ? JSON.parse(this.body) : null };
  }

  destroy() {
    this.request.destroy();
    return this.ended;
  }
}

// Waiting for frames is the same on both transports.
for (const name of ['next', 'take', 'left', 'forget', 'seen', 'settle']) EventStream.prototype[name] = Client.prototype[name];

/** A logged-in tab on a stream; `stream.welcome` is its `connected` frame. */
export async function openStream(relay, user, options = {}) {
  const stream = new EventStream(relay, { token: devToken(user), ...options });
  stream.welcome = await stream.next('connected');
  return stream;
}

/** How a request for a stream ends: 'connected', or `{code}`, what a WebSocket would have been closed with. */
export async function streamOutcome(relay, options) {
  const stream = new EventStream(relay, options);
  const result = await within(5_000, () => 'an end of the request', Promise.race([
    stream.next('connected').then(() => 'connected', () => new Promise(() => {})),
    stream.ended.then(() => ({ code: stream.body ? JSON.parse(stream.body).close_code : 1006 })),
  ])).finally(() => stream.destroy());
  if (stream.complaint) throw new Error(stream.complaint);
  return result;
}
