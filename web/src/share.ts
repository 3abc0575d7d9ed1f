/* One socket for all tabs of a browser with the same URL and user. The tab that holds the Web Lock is the leader: it has
 * the connection, posts every frame and status to the others, and sends their messages. The others wait for the lock,
 * which the browser gives to the next one when the leader is closed or crashes; one that hangs is deposed when it does
 * not answer a question. The new leader goes on from the last cursor that was posted, so nothing is lost; what comes
 * twice is known by its version. */
import { createConnection } from './connection.js';
import type { Hub, HubOptions } from './hub.js';
import { HEARTBEAT_MS, PROBE_MS } from './heartbeat.js';
import type { Connected } from './protocol.js';
import type { Status } from './status.js';
import { identityOf } from './token.js';
import type { ClientFrame, ServerFrame } from './types.js';

/** What tabs post to each other. `term` grows with every leader, so that a deposed one is not heard. */
type Post =
  | { kind: 'join' | 'ask' | 'connect' | 'logout' }
  | { kind: 'wake'; fresh: boolean }
  | { kind: 'send'; message: ClientFrame }
  | { kind: 'status'; term: number; status: Status; hello?: Connected | null }
  | { kind: 'frame'; term: number; frame: ServerFrame };

interface Group {
  readonly name: string;
  readonly channel: BroadcastChannel;
  readonly waiting: AbortController;
  /** Gives the lock back; null while another tab has it. */
  resign: (() => void) | null;
  elected: () => void;
}

export function createSharedHub(options: HubOptions): Hub {
  const { env, log } = options;
  let group: Group | null = null;
  let term = 0; // of the leader that is listened to, or of this tab
  let followed: Status | null = null; // the leader's; null: this tab leads, or does not know yet
  let hello: Connected | null = null; // what `connected` would say now
  let question: unknown; // the deadline of its answer
  let beat: unknown;

  const connection = createConnection({ ...options, admit: join, onFrame: lead, onStatus: report });

  const post = (message: Post) => group?.channel.postMessage(message);
  const leads = () => !!group?.resign;

  /** A frame of the own socket. */
  function lead(frame: ServerFrame): void {
    remember(frame);
    post({ kind: 'frame', term, frame });
    options.onFrame(frame);
  }

  function report(status: Status): void {
    if (leads()) post({ kind: 'status', term, status });
    options.onStatus(status);
  }

  function remember(frame: ServerFrame): void {
    if (frame.type === 'connected') hello = frame;
    if (!hello) return;
    if ('cursor' in frame) hello = { ...hello, cursor: frame.cursor };
    const isTotal = frame.type === 'unread_count' || frame.type === 'unread_notifications' || frame.type === 'notifications';
    if (isTotal) hello = { ...hello, unread_count: frame.count };
  }

  /** Resolves when this tab has the lock; when another one has it, its status ends the dial that waits here. */
  function join(token: string): Promise<void> | void {
    const name = `pgherald ${options.url()} ${identityOf(token)}`;
    if (leads() && group!.name === name) return;
    leave();
    return new Promise((elected) => {
      const channel = new env.BroadcastChannel!(name);
      const mine: Group = (group = { name, channel, waiting: new AbortController(), resign: null, elected });
      channel.onmessage = ({ data }) => group === mine && hear(data);
      compete(mine, { signal: mine.waiting.signal });
      post({ kind: 'join' });
      expectAnswer();
    });
  }

  function compete(mine: Group, how: LockOptions): void {
    const win = () => new Promise<void>((resign) => group === mine ? elect(mine, resign) : resign());
    env.locks!.request(mine.name, how, win).catch((error) => {
      if (group !== mine) return;
      if (mine.resign) return depose();
      // A page without locks (an opaque origin) has a socket of its own.
      if (error.name !== 'AbortError') mine.elected();
    });
  }

  /** Another tab took the lock, as this one did not answer. */
  function depose(): void {
    log('deposed');
    leave();
    connection.release();
    connection.connect('handover');
  }

  function elect(mine: Group, resign: () => void): void {
    log('leader');
    mine.resign = resign;
    stopAsking();
    term = Math.max(term + 1, env.now());
    if (followed) {
      followed = null;
      connection.connect('handover');
    } else {
      post({ kind: 'status', term, status: connection.status() });
      mine.elected();
    }
  }

  /** The leader must answer soon, or is deposed. Not all followers at the same moment. */
  function expectAnswer(): void {
    if (question !== undefined) return;
    question = env.setTimeout(() => {
      question = undefined;
      if (!group || leads()) return;
      log('depose');
      compete(group, { steal: true });
    }, PROBE_MS + 1000 * env.random());
  }

  function stopAsking(): void {
    env.clearTimeout(question);
    env.clearTimeout(beat);
    question = beat = undefined;
  }

  /** Asks now and then whether the leader is still there. */
  function keepAsking(): void {
    env.clearTimeout(beat);
    beat = env.setTimeout(() => {
      ask({ kind: 'ask' });
      keepAsking();
    }, HEARTBEAT_MS);
  }

  function ask(message: Post): void {
    post(message);
    expectAnswer();
  }

  function hear(message: Post): void {
    if (message.kind === 'logout') return options.onLogout();
    if (leads()) serve(message);
    else if (message.kind === 'status') follow(message);
    else if (message.kind === 'frame' && followed && message.term === term) {
      remember(message.frame);
      options.onFrame(message.frame);
    }
  }

  /** The leader's side. */
  function serve(message: Post): void {
    if (message.kind === 'send') return connection.transmit(message.message);
    if (message.kind === 'wake') connection.wake(message.fresh);
    if (message.kind === 'connect' || message.kind === 'join') connection.connect('connect');
    if (message.kind === 'status' || message.kind === 'frame') return;
    const status = connection.status();
    post({ kind: 'status', term, status, hello: status.state === 'OPEN' ? hello : null });
  }

  /** The follower's side. Who joins waits for an answer to a question: frames posted before it are in `hello`. */
  function follow({ term: theirs, status, hello: greeting }: Post & { kind: 'status' }): void {
    if (theirs < term) return;
    if (!followed && !greeting && status.state === 'OPEN') return;
    const joins = !followed;
    env.clearTimeout(question);
    question = undefined;
    term = theirs;
    followed = status;
    if (joins) {
      log('follower');
      connection.release();
      keepAsking();
    }
    if (joins && greeting) options.onHello((hello = greeting));
    options.onStatus(status);
  }

  function leave(): void {
    stopAsking();
    group?.waiting.abort();
    group?.resign?.();
    group?.channel.close();
    group = null;
    followed = hello = null;
  }

  return {
    connect(reason) {
      if (followed) ask({ kind: 'connect' });
      else connection.connect(reason);
    },
    disconnect(reason, allTabs) {
      if (allTabs) post({ kind: 'logout' });
      leave();
      connection.disconnect(reason);
    },
    suspend() {
      leave();
      connection.release();
    },
    wake(fresh) {
      if (followed) ask({ kind: 'wake', fresh });
      else connection.wake(fresh);
    },
    transmit(message) {
      if (followed) post({ kind: 'send', message });
      else connection.transmit(message);
    },
    status: () => followed ?? connection.status(),
    shared: true,
    isLeader: leads,
  };
}
