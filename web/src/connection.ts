/* One WebSocket after the other, or streams where none gets through: dials, logs in, retries, notices silence. Frames of
 * the relay and statuses go out. `enter` alone changes the state. At most one socket is live, and at most one timer is set
 * besides the heartbeat's. */
import { createHeartbeat, HEARTBEAT_MS } from './heartbeat.js';
import { createPace } from './pace.js';
import { CloseCode, type Connected } from './protocol.js';
import { ATTEMPTS, retryDelay } from './retry.js';
import { CLOSED, type Status } from './status.js';
import type {
  ClientFrame, ConnectionState, Environment, HeraldErrorCode, ServerFrame, Socket, StateReason, Transport,
} from './types.js';

/** For the token and `connected` together. */
const DIAL_MS = 15_000;
const CLOSES_KEPT = 20;

export interface ConnectionOptions {
  readonly env: Environment;
  readonly url: () => string;
  /** One request at a time. */
  readonly getToken: (renew: boolean) => Promise<string | null | undefined>;
  readonly tokenInQuery: boolean;
  readonly jitter: number;
  readonly cursor: () => string | null;
  /** Asked between token and socket; a dial that is not to go on is released. */
  readonly admit: (token: string) => unknown;
  readonly onFrame: (frame: ServerFrame) => void;
  readonly onStatus: (status: Status) => void;
  readonly log: (event: string, detail?: string) => void;
}

export interface Connection {
  /** Dials, or starts a fresh series of attempts; nothing when it is open or being made. */
  connect(reason: StateReason): void;
  disconnect(reason: StateReason): void;
  /** Ends everything at once, without a word to the listeners. */
  release(): void;
  /** Pings what seems open, with a short deadline. `fresh`: something changed for the better; starts a fresh series. */
  wake(fresh: boolean): void;
  /** Only while open. */
  transmit(message: ClientFrame): void;
  status(): Status;
}

export function createConnection(options: ConnectionOptions): Connection {
  const { env, log } = options;
  let status: Status = CLOSED;
  let socket: Socket | null = null;
  let next: Transport = 'websocket'; // of the next dial
  let blocked = 0; // WebSockets in a row that ended, without a close frame, before `connected`
  let timer: unknown;
  let dials = 0; // late tokens belong to an older dial
  let refused = false; // the last token was
  let isFinal = false; // FAILED, and only connect() helps
  let atLeastMs = 0;
  let exactlyMs: number | null = null;
  let pingedAt = 0;

  const write = (message: ClientFrame) => socket?.send(JSON.stringify(message));
  const pace = createPace(env, write);
  const heartbeat = createHeartbeat(env, ping, () => lost('silent', 1006, 'no answer to pings'));

  function enter(state: ConnectionState, reason: StateReason, change: Partial<Status> = {}): void {
    if (state !== status.state) log('state', `${state} ${reason}`);
    status = { ...status, error: null, retryAt: null, ...change, state, reason };
    options.onStatus(status);
  }

  function ping(): void {
    pingedAt = env.now();
    write({ type: 'ping', ref: 'heartbeat' });
  }

  /** Whatever was under way is none of ours any more. */
  function drop(): void {
    dials++;
    env.clearTimeout(timer);
    heartbeat.stop();
    pace.clear();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
    socket = null;
  }

  function fail(reason: StateReason & HeraldErrorCode, message: string): void {
    drop();
    isFinal = reason !== 'gave_up';
    enter('FAILED', reason, { error: { code: reason, message } });
  }

  function dial(state: ConnectionState, reason: StateReason): void {
    drop();
    isFinal = false;
    timer = env.setTimeout(() => lost('lost', 1006, 'no answer'), DIAL_MS);
    const mine = dials;
    enter(state, reason);
    if (mine === dials) login(mine).catch((error) => mine === dials && lost('lost', 1006, String(error)));
  }

  /** From the token to the socket; every pause may be the end of this dial. */
  async function login(mine: number): Promise<void> {
    const token = await options.getToken(refused);
    if (mine !== dials) return;
    if (!token) return fail('no_token', 'there is no token: log in first');
    await options.admit(token);
    if (mine !== dials) return;
    status = { ...status, transport: next };
    const stream = next === 'sse' && (await import('./stream.js'));
    next = 'websocket';
    if (mine === dials) open(token, stream);
  }

  function open(token: string, stream: typeof import('./stream.js') | false): void {
    const cursor = options.cursor();
    const url = new URL(options.url());
    if (options.tokenInQuery) {
      url.searchParams.set('token', token);
      if (cursor) url.searchParams.set('cursor', cursor);
    }
    const mine = (socket = stream
      ? stream.createStreamSocket(url.href, token, cursor)
      : new env.WebSocket(url.href, 'pgherald.v1'));
    mine.onopen = () => {
      if (stream) next = 'sse';
      if (!options.tokenInQuery) write({ type: 'authenticate', token, cursor });
    };
    mine.onmessage = ({ data }) => receive(data);
    mine.onclose = ({ code, reason }) => closed(code, reason);
  }

  function receive(data: unknown): void {
    heartbeat.heard();
    const frame = parse(data);
    if (!frame) return log('unreadable');
    note(frame);
    const mine = dials;
    options.onFrame(frame);
    // A listener may have disconnected.
    if (frame.type === 'connected' && mine === dials) opened(frame);
  }

  /** What a frame means for the connection itself. */
  function note(frame: ServerFrame): void {
    if (frame.type === 'draining') exactlyMs = frame.retry_after_ms;
    else if (frame.type === 'error') atLeastMs = frame.retry_after_ms ?? 0;
    else if (frame.type === 'token_expiring') renew();
    else if (frame.type === 'pong' && frame.ref === 'heartbeat') {
      // A connection that answers pings has proved itself; one that only opens and breaks has not.
      status = { ...status, attempts: 0, roundTripMs: env.now() - pingedAt };
      options.onStatus(status);
    }
  }

  function opened(frame: Connected): void {
    env.clearTimeout(timer);
    refused = false;
    blocked = atLeastMs = 0;
    heartbeat.start(frame.heartbeat_interval * 1000 || HEARTBEAT_MS);
    enter('OPEN', 'connected', { session: frame.session_id + dials });
  }

  function renew(): void {
    const mine = dials;
    options.getToken(true).then(
      (token) => mine === dials && token && write({ type: 'authenticate', token }),
      (error) => log('token', String(error)),
    );
  }

  function record(code: number, reason: string): void {
    log('close', `${code} ${reason}`);
    status = { ...status, closes: [...status.closes.slice(1 - CLOSES_KEPT), { at: env.now(), code, reason }] };
  }

  function closed(code: number, reason: string): void {
    if (status.state === 'CLOSING') {
      record(code, reason);
      drop();
      return enter('CLOSED', status.reason);
    }
    if (code === CloseCode.NOT_AUTHENTICATED || code === CloseCode.DISCONNECTED) {
      record(code, reason);
      return fail('refused', reason);
    }
    if (code === CloseCode.TOKEN_REFUSED) return tokenRefused(code, reason);
    lost(exactlyMs === null ? 'lost' : 'draining', code, reason);
  }

  /** A new token, at once; but it counts, as a relay whose clock is wrong refuses each after a moment. */
  function tokenRefused(code: number, reason: string): void {
    record(code, reason);
    if (refused) return fail('token_refused', reason);
    if (status.attempts >= ATTEMPTS) return fail('gave_up', reason);
    refused = true;
    status = { ...status, attempts: status.attempts + 1 };
    dial('RECONNECTING', 'token_refused');
  }

  function lost(why: StateReason, code: number, reason: string): void {
    record(code, reason);
    // In the same attempt: whoever is down for both transports is tried as often as ever.
    if (socket && status.transport === 'websocket' && status.state !== 'OPEN' && code === 1006 && ++blocked > 1) {
      next = 'sse';
      return dial('RECONNECTING', why);
    }
    drop();
    const { attempts } = status;
    if (attempts >= ATTEMPTS) return fail('gave_up', `no connection after ${ATTEMPTS} retries`);
    const delay = retryDelay(attempts, atLeastMs, exactlyMs);
    const wait = delay * (1 + options.jitter * env.random());
    atLeastMs = 0;
    exactlyMs = null;
    timer = env.setTimeout(() => dial('RECONNECTING', why), wait);
    enter('RECONNECTING', why, { attempts: attempts + 1, retryAt: env.now() + wait });
  }

  /** A series from the start: at once, unless one is being dialled. */
  function afresh(reason: StateReason): void {
    status = { ...status, attempts: 0 };
    if (status.state === 'FAILED' || status.retryAt !== null) dial('RECONNECTING', reason);
  }

  return {
    connect(reason) {
      if (status.state === 'CLOSED' || status.state === 'CLOSING') {
        refused = false;
        status = { ...status, attempts: 0 };
        dial(reason === 'connect' ? 'CONNECTING' : 'RECONNECTING', reason);
      } else if (status.state !== 'OPEN') {
        refused &&= status.state !== 'FAILED';
        afresh(reason);
      }
    },
    disconnect(reason) {
      if (status.state === 'CLOSED' || status.state === 'CLOSING') return;
      if (status.state !== 'OPEN' || !socket) {
        drop();
        return enter('CLOSED', reason);
      }
      const mine = socket;
      socket = null;
      drop();
      socket = mine;
      socket.onmessage = null;
      enter('CLOSING', reason);
      mine.close(1000);
    },
    release() {
      drop();
      status = { ...status, state: 'CLOSED', retryAt: null };
    },
    wake(fresh) {
      if (status.state === 'OPEN') heartbeat.probe();
      else if (!fresh) return;
      else if (status.state === 'RECONNECTING' || (status.state === 'FAILED' && !isFinal)) afresh('wake');
    },
    transmit(message) {
      if (status.state === 'OPEN') pace.push(message);
    },
    status: () => status,
  };
}

function parse(data: unknown): ServerFrame | null {
  try {
    const frame = JSON.parse(data as string);
    return typeof frame?.type === 'string' ? frame : null;
  } catch {
    return null;
  }
}
