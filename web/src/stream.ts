/* For networks that let no WebSocket through: Server-Sent Events for what the relay says, HTTP for what the client asks,
 * with the face of a WebSocket. Loaded when it is needed, so that nobody else pays for it.
 *
 * Events and answers come by different connections. So an answer has the stream's cursor and count instead of its own,
 * does not bring back what the stream told as deleted meanwhile, and is asked for again if everything was to be
 * forgotten meanwhile. */
import type { ClientFrame, Notification, ServerFrame } from './protocol.js';
import type { Socket } from './types.js';

/** Until `connected` tells how often the relay gives a sign of life. */
const HEARTBEAT_MS = 30_000;
const LOST = 1006;
const TOKEN_REFUSED = 4001;

type Request = Exclude<ClientFrame, { type: 'ping' | 'authenticate' | 'resume' }>;

/** An RFC 9457 document of the relay. */
interface Problem {
  readonly status: number;
  readonly detail?: string;
  readonly code?: string;
  /** What a WebSocket would have been closed with. */
  readonly close_code?: number;
  readonly retry_after_ms?: number;
}

interface Page {
  readonly notifications: readonly Notification[];
  readonly next: string | null;
}

/** Codes of the HTTP API that a WebSocket has as well. */
const CODES = new Set(['bad_json', 'bad_field', 'rate_limited', 'unavailable', 'internal']);

/** `url`: of the WebSocket endpoint; the others are beside it. The token goes into headers only. */
export function createStreamSocket(url: string, token: string, cursor: string | null): Socket {
  const endpoint = new URL(url);
  endpoint.protocol = endpoint.protocol.replace('ws', 'http');
  endpoint.search = '';
  const stream = new URL('stream', endpoint).href;
  const api = new URL('.', endpoint).href.slice(0, -1);

  let body: AbortController;
  let isOver = false;
  let renewal: string | undefined | null = null; // the ref of an `authenticate` that is being answered; null: none is
  let heartbeatMs = HEARTBEAT_MS;
  let heardAt = Date.now();
  let ping: { readonly ref: string | undefined } | null = null; // not answered yet
  let count = 0;
  let asking = 0; // requests under way
  let forgotten = 0; // how often everything was to be
  const deleted = new Set<string>(); // since there are requests under way

  const socket: Socket = { onopen: null, onmessage: null, onclose: null, send, close };

  const tell = (data: string) => isOver || socket.onmessage?.(new MessageEvent('message', { data }));
  const deliver = (frame: object) => tell(JSON.stringify(frame));

  function end(code: number, reason = ''): void {
    if (isOver) return;
    isOver = true;
    body.abort();
    socket.onclose?.({ code, reason } as CloseEvent);
  }

  // ---- the stream ----

  function open(): void {
    const mine = (body = new AbortController());
    run(mine).catch(() => mine === body && end(LOST));
  }

  async function run(mine: AbortController): Promise<void> {
    const answer = await fetch(stream, {
      headers: { authorization: `Bearer ${token}`, ...(cursor && { 'last-event-id': cursor }) },
      cache: 'no-store', signal: mine.signal,
    });
    if (!answer.ok || !answer.body) {
      const { close_code = LOST, detail } = await problemOf(answer);
      return end(close_code, detail);
    }
    if (renewal === null) socket.onopen?.(new Event('open'));
    await read(answer.body.getReader(), mine);
    if (mine === body) end(LOST);
  }

  async function read(reader: ReadableStreamDefaultReader<Uint8Array>, mine: AbortController): Promise<void> {
    const decoder = new TextDecoder();
    const line = eventReader(onEvent);
    for (let rest = ''; ;) {
      const { done, value } = await reader.read();
      if (done || mine !== body || isOver) return;
      heard();
      for (const [i, piece] of decoder.decode(value, { stream: true }).split('\n').entries()) {
        if (i > 0) {
          line(rest);
          rest = '';
        }
        rest += piece;
      }
    }
  }

  function onEvent(type: string, data: string, id: string | null): void {
    if (type === 'close') {
      const { code, reason } = JSON.parse(data);
      return end(code, reason);
    }
    cursor = id ?? cursor;
    const frame = JSON.parse(data) as ServerFrame;
    note(frame);
    if (frame.type !== 'connected' || renewal === null) return void tell(data);
    deliver({ type: 'authenticated', token_expires_at: frame.token_expires_at, ref: renewal });
    renewal = null;
  }

  function note(frame: ServerFrame): void {
    if (frame.type === 'connected') {
      heartbeatMs = frame.heartbeat_interval * 1000 || HEARTBEAT_MS;
      count = frame.unread_count;
    } else if (frame.type === 'unread_count' || frame.type === 'unread_notifications') {
      ({ count } = frame);
    } else if (frame.type === 'notification_deleted') {
      if (asking) deleted.add(frame.notification_id);
    } else if ('resync' in frame) {
      forgotten++;
    }
  }

  /** Comments and all else. */
  function heard(): void {
    heardAt = Date.now();
    if (ping) pong(ping.ref);
    ping = null;
  }

  const pong = (ref: string | undefined) => deliver({ type: 'pong', cursor, ref });

  // ---- requests ----

  function send(text: string): void {
    const message = JSON.parse(text) as ClientFrame;
    const { ref } = message;
    if (message.type === 'ping') {
      if (Date.now() - heardAt < heartbeatMs) queueMicrotask(() => pong(ref));
      else ping = { ref };
    } else if (message.type === 'authenticate') {
      renew(message.token, ref);
    } else if (message.type === 'resume') {
      deliver({ type: 'error', code: 'unknown_type', message: 'a stream resumes by itself', ref });
    } else {
      void request(message);
    }
  }

  /** The same token is the one the stream was opened with. Another one opens another stream, which goes on here. */
  function renew(next: string, ref: string | undefined): void {
    if (next === token) return;
    token = next;
    renewal = ref;
    body.abort();
    open();
  }

  async function request(message: Request): Promise<void> {
    asking++;
    try {
      for (const frame of await answersTo(message)) deliver({ ...frame, ref: message.ref });
    } catch (error) {
      const { code = '', detail = 'no answer', retry_after_ms, status } = error as Problem;
      if (status === 401) end(TOKEN_REFUSED, detail);
      const known = CODES.has(code) ? code : status === 429 ? 'rate_limited' : 'unavailable';
      deliver({ type: 'error', code: known, message: detail, retry_after_ms, ref: message.ref });
    }
    if (--asking === 0) deleted.clear();
  }

  async function answersTo(message: Request): Promise<object[]> {
    switch (message.type) {
      case 'get_unread':
        return [await page('unread_notifications', message, { unread: 'true' })];
      case 'get_notifications':
        return [await page('notifications', message, {})];
      case 'mark_read':
        return markRead('notification_ids' in message ? [...new Set(message.notification_ids)] : [message.notification_id]);
      case 'mark_all_read':
        await call('POST', '/read-all', message.until ? { until: message.until } : {});
        return [{ type: 'unread_count', count, cursor }];
    }
  }

  async function page(type: string, { limit, before }: { limit?: number; before?: string | null }, query: Record<string, string>) {
    const search = new URLSearchParams({ ...query, limit: String(limit ?? 10), ...(before && { before }) });
    const { notifications, next } = await call<Page>('GET', `?${search}`);
    return { type, count, notifications: notifications.filter(({ id }) => !deleted.has(id)), next, cursor };
  }

  /** One after the other: the relay limits how many come at once. */
  async function markRead(ids: readonly string[]): Promise<object[]> {
    const answers = [];
    for (const id of ids) answers.push({ type: 'notification_updated', notification_id: id, ...(await mark(id)) });
    return answers.map((answer) => (deleted.has(answer.notification_id) ? { ...answer, ...NOT_FOUND } : answer));
  }

  async function mark(id: string): Promise<object> {
    try {
      const notification = await call<Notification>('PATCH', `/${encodeURIComponent(id)}`, { is_read: true });
      return { success: true, notification, cursor };
    } catch (error) {
      if ((error as Problem).status === 404) return NOT_FOUND;
      throw error;
    }
  }

  /** Rejects with a Problem. */
  async function call<T>(method: string, path: string, content?: object): Promise<T> {
    const before = forgotten;
    const answer = await fetch(api + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(content && { 'content-type': 'application/json' }) },
      body: content && JSON.stringify(content),
      cache: 'no-store',
    });
    if (!answer.ok) throw await problemOf(answer);
    const value = await answer.json();
    return before === forgotten ? value : call(method, path, content);
  }

  function close(code: number): void {
    queueMicrotask(() => end(code));
    body.abort();
  }

  open();
  return socket;
}

const NOT_FOUND = { success: false, code: 'not_found', notification: undefined, cursor: undefined };

async function problemOf(answer: Response): Promise<Problem> {
  const wait = Number(answer.headers.get('retry-after'));
  const problem = await answer.json().catch(() => null);
  return { ...(wait && { retry_after_ms: wait * 1000 }), ...problem, status: answer.status };
}

/** Lines of an event stream in, events out (WHATWG HTML §9.2.6). The relay ends lines with LF. */
function eventReader(onEvent: (type: string, data: string, id: string | null) => void): (line: string) => void {
  let type = '';
  let data: string[] = [];
  let id: string | null = null;
  return (line) => {
    const at = line.indexOf(':');
    const value = line.slice(at + 1).replace(/^ /, '');
    const field = line.slice(0, Math.max(0, at));
    if (field === 'data') data.push(value);
    else if (field === 'event') type = value;
    else if (field === 'id') id = value;
    if (line !== '') return;
    if (data.length) onEvent(type, data.join('\n'), id);
    [type, data, id] = ['', [], null];
  };
}
