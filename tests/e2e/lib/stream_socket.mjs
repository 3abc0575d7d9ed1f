// A stream with the face of a WebSocket of ws, for the tabs of a history: its frames come as messages, its end as a
// close. What it is given to send goes over a WebSocket of its own, as a program's requests go over other connections.
// So an answer proves less than on one connection, and is used as docs/PROTOCOL.md tells clients of streams to: its
// cursor and its count are not the stream's, it does not bring back what the stream has told as deleted, and it counts
// for nothing if everything was to be forgotten since it was asked for.
import { EventEmitter } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import WebSocket from 'ws';
import { EventParser, STREAM } from './event_stream.mjs';
import { patience } from './env.mjs';

const HANDSHAKE_MS = 5_000;

export class StreamSocket extends EventEmitter {
  /** `relay`; `token`; `cursor` or null. */
  constructor({ relay, token, cursor }) {
    super();
    this.readyState = WebSocket.CONNECTING;
    this.relay = relay;
    this.token = token;
    this.waiting = []; // to be sent when the other connection is there
    this.deleted = new Set(); // ids
    this.count = 0;
    this.cursor = cursor;
    this.closing = { code: 1006, reason: '' };
    const headers = { Authorization: `Bearer ${token}`, ...(cursor && { 'Last-Event-ID': cursor }) };
    this.request = (relay.ca ? https : http).get({ host: '127.0.0.1', port: relay.port, ca: relay.ca, path: STREAM, headers, agent: false, timeout: HANDSHAKE_MS * patience });
    this.request.on('timeout', () => this.readyState === WebSocket.CONNECTING && this.request.destroy());
    this.request.on('error', (error) => this.emit('error', error));
    this.request.once('close', () => this.#closed());
    this.request.once('response', (response) => this.#answered(response));
  }

  #answered(response) {
    response.setEncoding('utf8');
    response.on('error', () => {});
    if (response.statusCode !== 200) {
      let problem = '';
      response.on('data', (text) => (problem += text));
      response.on('end', () => {
        const isOurs = response.headers['content-type'] === 'application/problem+json'; // and not a proxy's page
        const { close_code: code = 1006, detail: reason = '' } = isOurs ? JSON.parse(problem) : {};
        this.closing = { code, reason };
      });
      return;
    }
    this.readyState = WebSocket.OPEN;
    this.emit('open');
    const parser = new EventParser({ onEvent: (event) => this.#event(event) });
    response.on('data', (text) => this.readyState === WebSocket.OPEN && parser.push(text));
  }

  #event({ type, data, id }) {
    if (type === 'close') {
      this.closing = JSON.parse(data);
      return;
    }
    const frame = JSON.parse(data);
    this.cursor = id;
    if (frame.resync) this.#forget();
    if (frame.type === 'notification_deleted') this.deleted.add(frame.notification_id);
    else if (frame.notification) this.deleted.delete(frame.notification.id);
    if (frame.type === 'connected') this.count = frame.unread_count;
    else if (frame.type === 'unread_count') this.count = frame.count; // that of `resumed` counts changes
    this.emit('message', Buffer.from(data));
  }

  #forget() {
    const { desk } = this;
    this.desk = null;
    this.waiting = [];
    this.deleted.clear();
    desk?.terminate();
  }

  send(text) {
    if (this.desk?.isReady) this.desk.send(text);
    else this.waiting.push(text);
    this.desk ??= this.#openDesk();
  }

  #openDesk() {
    const desk = new WebSocket(this.relay.url(), { perMessageDeflate: false, ca: this.relay.ca });
    desk.on('error', () => {});
    desk.once('open', () => desk.send(JSON.stringify({ type: 'authenticate', token: this.token })));
    desk.once('close', () => this.desk === desk && this.terminate()); // what was asked for is asked again on the next one
    desk.on('message', (data) => {
      const frame = JSON.parse(data.toString());
      if (frame.type === 'connected') {
        desk.isReady = true;
        this.waiting.splice(0).forEach((text) => desk.send(text));
      } else if (frame.ref !== undefined && this.desk === desk && this.readyState === WebSocket.OPEN) {
        this.#answer(frame);
      }
    });
    return desk;
  }

  #answer(frame) {
    if (frame.type === 'unread_count' || this.deleted.has(frame.notification_id)) return;
    if (frame.cursor) frame.cursor = this.cursor;
    if (frame.notifications) {
      frame.notifications = frame.notifications.filter(({ id }) => !this.deleted.has(id));
      frame.count = this.count;
    }
    this.emit('message', Buffer.from(JSON.stringify(frame)));
  }

  #closed() {
    if (this.readyState === WebSocket.CLOSED) return;
    this.readyState = WebSocket.CLOSED;
    this.desk?.terminate();
    this.emit('close', this.closing.code, Buffer.from(this.closing.reason));
  }

  terminate() {
    this.request.destroy();
  }
}
