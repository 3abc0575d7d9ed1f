/* A browser for tests of the client: tabs with timers of their own, one storage, Web Locks and BroadcastChannels. */
import type { Environment } from '../../../src/types.js';

type Callback = (lock: Lock | null) => unknown;
interface Waiter { tab: Tab; callback: Callback; resolve: (value: unknown) => void; reject: (error: unknown) => void }

/** One holder a name, the others in a queue: https://w3c.github.io/web-locks/ */
class Locks {
  holders = new Map<string, Waiter>();
  queues = new Map<string, Waiter[]>();

  request(tab: Tab, name: string, options: LockOptions, callback: Callback): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const waiter = { tab, callback, resolve, reject };
      const queue = this.queues.get(name) ?? [];
      this.queues.set(name, queue);
      if (options.steal) {
        this.holders.get(name)?.reject(new DOMException('stolen', 'AbortError'));
        this.holders.delete(name);
        queue.unshift(waiter);
      } else queue.push(waiter);
      options.signal?.addEventListener('abort', () => {
        const place = queue.indexOf(waiter);
        if (place >= 0) reject(queue.splice(place, 1) && new DOMException('aborted', 'AbortError'));
      });
      this.grant(name);
    });
  }

  grant(name: string): void {
    if (this.holders.has(name)) return;
    const next = this.queues.get(name)?.shift();
    if (!next) return;
    this.holders.set(name, next);
    queueMicrotask(async () => {
      const value = await next.callback({ name, mode: 'exclusive' });
      if (this.holders.get(name) !== next) return;
      this.holders.delete(name);
      next.resolve(value);
      this.grant(name);
    });
  }

  /** What a browser does with the locks of a tab that is gone. */
  forget(tab: Tab): void {
    for (const [name, queue] of this.queues) {
      this.queues.set(name, queue.filter((waiter) => waiter.tab !== tab));
      if (this.holders.get(name)?.tab !== tab) continue;
      this.holders.delete(name);
      this.grant(name);
    }
  }
}

/** `window` and `document` of a tab, which count their listeners. */
export class Target extends EventTarget {
  readonly signals: AbortSignal[] = [];
  visibilityState = 'visible';
  location = { href: 'https://app.test/page' };

  override addEventListener(type: string, handler: EventListener, options: { signal: AbortSignal }): void {
    this.signals.push(options.signal);
    super.addEventListener(type, handler, options);
  }

  get listeners(): number {
    return this.signals.filter(({ aborted }) => !aborted).length;
  }
}

export class Tab {
  readonly window = new Target();
  readonly document = new Target();
  readonly timers = new Set<unknown>();
  readonly sockets: WebSocket[] = [];
  readonly channels = new Set<{ name: string; onmessage: ((event: { data: unknown }) => void) | null }>();
  readonly environment: Environment;
  /** Runs nothing and hears nothing, but the browser does not know. */
  hangs = false;

  constructor(readonly browser: Browser, Socket: Environment['WebSocket'], random: () => number) {
    this.environment = environment(this, Socket, random);
  }

  live(): number {
    return this.sockets.filter(({ readyState }) => readyState <= 1).length;
  }

  /** Nothing of it is left, and nobody was told. */
  crash(): void {
    this.hangs = true;
    this.channels.clear();
    this.timers.forEach((timer) => clearTimeout(timer as ReturnType<typeof setTimeout>));
    for (const socket of this.sockets) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
    this.browser.locks.forget(this);
  }

  show(): void {
    this.document.dispatchEvent(new Event('visibilitychange'));
  }
}

/** What the client in a tab gets. */
function environment(tab: Tab, Socket: Environment['WebSocket'], random: () => number): Environment {
  const { browser } = tab;
  return {
    now: () => Date.now(),
    random,
    setTimeout: (callback, ms) => {
      const timer = setTimeout(() => {
        tab.timers.delete(timer);
        if (!tab.hangs) callback();
      }, ms);
      tab.timers.add(timer);
      return timer;
    },
    clearTimeout: (timer) => {
      clearTimeout(timer as ReturnType<typeof setTimeout>);
      tab.timers.delete(timer);
    },
    WebSocket: class extends Socket {
      constructor(url: string, protocols: string) {
        super(url, protocols);
        tab.sockets.push(this);
      }
    },
    storage: { getItem: (key) => browser.storage.get(key) ?? null },
    locks: {
      request: (name: string, options: LockOptions, callback: Callback) =>
        browser.locks.request(tab, name, options, callback),
    } as unknown as LockManager,
    BroadcastChannel: class {
      onmessage = null;
      constructor(readonly name: string) {
        tab.channels.add(this);
      }
      postMessage(data: unknown) {
        browser.post(tab, this, structuredClone(data));
      }
      close() {
        tab.channels.delete(this);
      }
    } as unknown as Environment['BroadcastChannel'],
    window: tab.window,
    document: tab.document,
  };
}

export class Browser {
  readonly locks = new Locks();
  readonly storage = new Map<string, string>();
  readonly tabs: Tab[] = [];

  constructor(readonly Socket: Environment['WebSocket']) {}

  tab(random: () => number = Math.random): Tab {
    const tab = new Tab(this, this.Socket, random);
    this.tabs.push(tab);
    return tab;
  }

  post(from: Tab, channel: { name: string }, data: unknown): void {
    for (const tab of this.tabs) {
      for (const other of tab.channels) {
        if (other.name !== channel.name || other === channel) continue;
        queueMicrotask(() => tab.channels.has(other) && !tab.hangs && other.onmessage?.({ data: structuredClone(data) }));
      }
    }
    if (from.hangs) throw new Error('a tab that hangs posted something');
  }

  /** As `localStorage` does: the other tabs are told. */
  store(from: Tab, key: string, value: string | null): void {
    if (value === null) this.storage.delete(key);
    else this.storage.set(key, value);
    for (const tab of this.tabs) {
      if (tab !== from) tab.window.dispatchEvent(Object.assign(new Event('storage'), { key, newValue: value }));
    }
  }

  live(): number {
    return this.tabs.reduce((sum, tab) => sum + tab.live(), 0);
  }
}
