/* Messages that are not answered yet, at most 100, for at most 60 s. Each has a `ref`, and goes out once on every
 * connection until its answer comes: what was under way when a connection broke is asked again, which is safe because
 * reading and marking as read are idempotent. */
import { HeraldError } from './error.js';
import type { ClientFrame, DroppedEvent, Environment, ServerFrame } from './types.js';

const MAX = 100;
export const EXPIRY_MS = 60_000;

interface Entry {
  readonly message: ClientFrame;
  readonly due: number;
  answersLeft: number;
  /** The connection it was sent on. */
  sentOn: string | null;
  resolve(frame: ServerFrame): void;
  reject(error: HeraldError): void;
}

export interface Outbox {
  /** The answer; also when nobody waits for it a rejection is no unhandled one. */
  add(message: ClientFrame): Promise<ServerFrame>;
  /** Sends what has not been sent on this connection. */
  flush(session: string): void;
  /** True: the frame answers a message of this tab. */
  take(frame: ServerFrame): boolean;
  /** Answers to what was sent are not expected any more: all goes out again. */
  unsend(): void;
  /** Gives all up. */
  clear(): void;
  size(): number;
}

const MESSAGES = {
  overflow: 'too many messages are waiting',
  expired: 'no answer within 60 seconds',
  closed: 'the client was disconnected',
};

export function createOutbox(
  env: Environment,
  transmit: (message: ClientFrame) => void,
  onDrop: (event: DroppedEvent) => void,
): Outbox {
  const entries = new Map<string, Entry>(); // the oldest first
  // Refs must differ between the tabs of one socket.
  const prefix = env.random().toString(36).slice(2, 10);
  let count = 0;
  let timer: unknown;

  function drop(ref: string, reason: DroppedEvent['reason']): void {
    const entry = entries.get(ref)!;
    entries.delete(ref);
    entry.reject(new HeraldError(reason, MESSAGES[reason]));
    onDrop({ type: 'dropped', message: entry.message, reason });
  }

  function expire(): void {
    timer = undefined;
    for (const [ref, { due }] of entries) if (due <= env.now()) drop(ref, 'expired');
    watch();
  }

  /** One timer, for the oldest. */
  function watch(): void {
    env.clearTimeout(timer);
    timer = undefined;
    const [oldest] = entries.values();
    if (oldest) timer = env.setTimeout(expire, Math.max(0, oldest.due - env.now()));
  }

  return {
    add(message) {
      if (entries.size >= MAX) drop(entries.keys().next().value!, 'overflow');
      const ref = `${prefix}.${(count++).toString(36)}`;
      const answer = new Promise<ServerFrame>((resolve, reject) => {
        const answersLeft = 'notification_ids' in message ? new Set(message.notification_ids).size : 1;
        entries.set(ref, { message, due: env.now() + EXPIRY_MS, answersLeft, sentOn: null, resolve, reject });
      });
      answer.catch(() => {});
      if (timer === undefined) watch();
      return answer;
    },
    flush(session) {
      for (const [ref, entry] of entries) {
        if (entry.sentOn === session) continue;
        entry.sentOn = session;
        transmit({ ...entry.message, ref });
      }
    },
    take(frame) {
      const ref = ('ref' in frame && frame.ref) || '';
      const entry = entries.get(ref);
      if (!entry) return false;
      const error = refusal(frame);
      if (!error && --entry.answersLeft > 0) return true;
      entries.delete(ref);
      if (error) entry.reject(error);
      else entry.resolve(frame);
      watch();
      return true;
    },
    unsend() {
      for (const entry of entries.values()) entry.sentOn = null;
    },
    clear() {
      for (const ref of entries.keys()) drop(ref, 'closed');
      watch();
    },
    size: () => entries.size,
  };
}

function refusal(frame: ServerFrame): HeraldError | null {
  if (frame.type === 'error') return new HeraldError(frame.code, frame.message, frame.retry_after_ms);
  if (frame.type === 'notification_updated' && !frame.success) return new HeraldError(frame.code, frame.code);
  return null;
}
