// A user's tab that lives as docs/PROTOCOL.md tells clients to: it keeps the higher version, comes back with its
// cursor after a random pause, to any relay, forgets everything on a resync and reads its inbox again. It keeps what
// its user was shown, and notes in `faults` what no tab may ever be shown.
import WebSocket from 'ws';
import { devToken } from './client.mjs';
import { frameComplaint } from './shapes.mjs';
import { StreamSocket } from './stream_socket.mjs';
import { patience } from './env.mjs';

const HISTORY_MAX = 20_000; // entries a tab, the newest
const PAUSE_MAX_MS = 2_000;
const PAGE = 100;
const HANDSHAKE_MS = 5_000;

export class Tab {
  /**
   * `username`, whose id is `u-` and the name; `relays`: where it may connect to; `dice`: a generator of form.mjs;
   * `lossy`: PostgreSQL may take deletions back; `streams`: the share of its dials that are for Server-Sent Events;
   * `onShow(tab, row)` is called with every version shown. It dials at once; `live` is true once it is connected,
   * caught up and has read its inbox.
   */
  constructor({ username, number = 1, relays, dice, lossy = false, streams = 0, onShow = () => {} }) {
    Object.assign(this, { username, relays, dice, lossy, streams, onShow });
    this.user = `u-${username}`;
    this.name = `tab ${number} of ${username}`;
    this.rows = new Map(); // id -> notification, as shown now
    this.count = null; // unread, as told last
    this.cursor = null; // where to come back; null: everything is to be read
    this.live = false;
    this.absences = []; // ms from a loss to the end of the catch-up
    this.deletions = new Set(); // ids told as deleted
    this.acknowledged = new Set(); // ids whose read was confirmed
    this.history = [];
    this.faults = [];
    this.connections = 0;
    this.resyncs = 0;
    this.highest = new Map(); // id -> version shown, deleted ones too, since everything was forgotten
    this.reading = 0; // number of the inbox reading under way
    this.attempts = 0;
    this.lostAt = performance.now();
    this.#dial();
  }

  // ---- the connection ----

  #dial() {
    this.relay = this.dice.of(this.relays);
    this.connections += 1;
    // Without a cursor there is nothing to resume: a page that is loaded for the first time.
    const isStream = this.streams > 0 && this.dice.chance(this.streams);
    this.way = isStream ? 'stream' : this.dice.of(['query', 'authenticate', ...(this.cursor ? ['resume'] : [])]);
    this.trusted = this.way !== 'resume'; // cursors may be kept
    this.socket = isStream ? this.#openStream() : this.#openSocket();
    const { socket } = this;
    socket.on('error', () => {}); // 'close' follows
    socket.on('message', (data) => this.#receive(data.toString()));
    socket.once('close', (code, reason) => this.#closed(code, reason.toString()));
  }

  #openStream() {
    return new StreamSocket({ relay: this.relay, token: devToken(this.username), cursor: this.cursor });
  }

  #openSocket() {
    const token = devToken(this.username);
    const search = new URLSearchParams(this.way === 'authenticate' ? {} : { token });
    if (this.way === 'query' && this.cursor) search.set('cursor', this.cursor);
    const socket = new WebSocket(`${this.relay.url()}?${search}`, {
      perMessageDeflate: false,
      ca: this.relay.ca,
      handshakeTimeout: HANDSHAKE_MS * patience,
    });
    socket.once('open', () => {
      if (this.way !== 'authenticate') return;
      this.send({ type: 'authenticate', token, ...(this.cursor && { cursor: this.cursor }) });
    });
    return socket;
  }

  #closed(code, reason) {
    this.#note('', `closed ${code} ${reason}`);
    this.live = false;
    this.lostAt ??= performance.now();
    if (code >= 4000 && code < 4003) this.#fault(`closed with ${code} "${reason}"`);
    if (this.ended) return this.ended();
    if (this.away) return;
    this.attempts += 1;
    const pause_ms = this.dice.fraction() * Math.min(PAUSE_MAX_MS, 100 * 2 ** this.attempts);
    this.timer = setTimeout(() => this.#dial(), pause_ms);
  }

  /** Its connection is being broken from outside: the time runs from `at`, not from when the tab notices. */
  lost(at) {
    this.live = false;
    this.lostAt = at;
  }

  /** Lets go of its connection; it comes back by itself. */
  drop() {
    this.socket.terminate();
  }

  /** The next loss of its connection is not answered before comeBack(). */
  stayAway() {
    this.away = true;
  }

  comeBack() {
    this.away = false;
    this.lostAt = performance.now();
    this.#dial();
  }

  /** For good. */
  stop() {
    clearTimeout(this.timer);
    return new Promise((resolve) => {
      this.ended = resolve;
      if (this.socket.readyState === WebSocket.CLOSED) resolve();
      this.socket.terminate();
    });
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  // ---- frames ----

  #receive(raw) {
    const frame = JSON.parse(raw);
    const wrong = frameComplaint(frame);
    if (wrong) this.#fault(wrong);
    switch (frame.type) {
      case 'connected':
        this.#connected(frame);
        break;
      case 'new_notification':
      case 'notification_updated':
        this.#changed(frame);
        break;
      case 'notification_deleted':
        this.#remove(frame.notification_id);
        break;
      case 'notifications':
      case 'unread_notifications':
        this.#page(frame);
        break;
      case 'unread_count':
        this.count = frame.count;
        break;
      case 'resumed':
        this.#resumed(frame);
        break;
      case 'error':
        this.#refused(frame);
        break;
    }
    // Until everything was read once, coming back means reading everything.
    if (frame.cursor && this.trusted) this.newest = frame.cursor;
    this.cursor = this.whole ? this.newest : null;
  }

  #connected(frame) {
    this.#note('', `connected to ${this.relay.port} by ${this.way}, cursor ${this.cursor}`);
    if (frame.user_id !== this.user) this.#fault(`connected as ${frame.user_id}`);
    this.count = frame.unread_count;
    if (this.way === 'resume') this.send({ type: 'resume', cursor: this.cursor });
    else if (!this.cursor) this.#forget();
  }

  #changed(frame) {
    if (frame.success === false) return;
    if (frame.ref === 'mark') this.acknowledged.add(frame.notification_id);
    this.#show(frame.notification, frame.type);
  }

  #page(frame) {
    this.count = frame.count;
    frame.notifications.forEach((row) => this.#show(row, frame.type));
    if (frame.ref !== `inbox ${this.reading}`) return;
    if (frame.next) this.#ask(frame.next);
    else this.#complete();
  }

  #resumed(frame) {
    this.#note('', `resumed ${frame.resync ? 'resync' : frame.count}`);
    this.trusted = true;
    if (!frame.resync) return this.#settled();
    this.resyncs += 1;
    this.#forget();
  }

  #refused(frame) {
    this.#note('', `error ${frame.code} ${frame.message}`);
    if (!['unavailable', 'internal'].includes(frame.code)) this.#fault(`error ${frame.code}: ${frame.message}`);
    const { reading, socket } = this;
    if (frame.ref !== `inbox ${reading}`) return;
    setTimeout(() => {
      if (this.reading === reading && this.socket === socket) this.#ask(this.before);
    }, frame.retry_after_ms);
  }

  // ---- the state ----

  /** Everything, and reads it all again. */
  #forget() {
    this.rows.clear();
    this.highest.clear();
    this.whole = false;
    this.reading += 1;
    this.#note('', 'forgot everything');
    this.#ask(null);
  }

  #ask(before) {
    this.before = before;
    this.send({ type: 'get_notifications', limit: PAGE, before, ref: `inbox ${this.reading}` });
  }

  #complete() {
    this.#note('', 'inbox read');
    this.whole = true;
    this.#settled();
  }

  #settled() {
    if (!this.whole) return;
    this.live = true;
    this.attempts = 0;
    if (this.lostAt !== null) this.absences.push(performance.now() - this.lostAt);
    this.lostAt = null;
  }

  #show(row, what) {
    if (row.title !== this.user) this.#fault(`shown ${row.id} version ${row.version} of ${row.title}`);
    const known = this.rows.get(row.id);
    if (known && known.version >= row.version) return;
    this.#note(row.id, `${what} ${row.version} ${row.message}`);
    if (this.highest.get(row.id) >= row.version) {
      this.#fault(`shown ${row.id} version ${row.version} after ${this.highest.get(row.id)}`, row.id);
    }
    this.highest.set(row.id, row.version);
    this.rows.set(row.id, row);
    this.onShow(this, row);
  }

  #remove(id) {
    this.deletions.add(id);
    if (this.lossy) this.highest.delete(id);
    if (this.rows.delete(id)) this.#note(id, 'deleted');
  }

  // ---- the user ----

  /** Something a user does, if the tab is live. */
  act(dice) {
    if (!this.live) return;
    const ids = [...this.rows.keys()];
    const choice = dice.fraction();
    if (choice < 0.7 && ids.length) {
      const chosen = Array.from({ length: dice.between(1, 3) }, () => dice.of(ids));
      this.send({ type: 'mark_read', notification_ids: chosen, ref: 'mark' });
    } else if (choice < 0.78) {
      this.send({ type: 'mark_all_read', ref: 'all' });
    } else if (choice < 0.9) {
      this.send({ type: 'get_unread', limit: dice.between(1, 100), ref: 'unread' });
    } else {
      this.send({ type: 'get_notifications', limit: dice.between(1, 100), ref: 'some' });
    }
  }

  // ---- what is kept for a failure's message ----

  #note(id, what) {
    if (this.history.length >= HISTORY_MAX) this.history.splice(0, HISTORY_MAX / 4);
    this.history.push({ at: performance.now(), id, what });
  }

  #fault(what, id = '') {
    if (this.faults.length < 100) this.faults.push({ at: performance.now(), id, what });
  }

  /** What it saw of a row, and its connections meanwhile. */
  historyOf(id) {
    return this.history.filter((entry) => entry.id === id || entry.id === '');
  }
}
