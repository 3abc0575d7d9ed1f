/* The WebSocket that code under test gets, and its other end. What is sent arrives in a microtask, as no event comes
 * before the call that causes it has returned; fake timers do not hold it up. */

export interface FakeEnd {
  readonly url: URL;
  /** The page's end is open. */
  isOpen(): boolean;
  accept(): void;
  deliver(text: string): void;
  close(code: number, reason: string): void;
  onText: (text: string) => void;
  onClose: (code: number) => void;
}

export class FakeSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;

  readyState = FakeSocket.CONNECTING;
  readonly url: string;
  readonly protocol = 'pgherald.v1';
  readonly extensions = '';
  bufferedAmount = 0;
  binaryType: BinaryType = 'blob';
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  readonly #end: FakeEnd;

  constructor(url: string | URL, dial: (end: FakeEnd) => void) {
    super();
    this.url = String(url);
    this.#end = {
      url: new URL(this.url),
      isOpen: () => this.readyState === FakeSocket.OPEN,
      accept: () => this.#accept(),
      deliver: (text) => this.#deliver(text),
      close: (code, reason) => this.#closed(code, reason),
      onText: () => {},
      onClose: () => {},
    };
    queueMicrotask(() => dial(this.#end));
  }

  send(text: string): void {
    if (this.readyState === FakeSocket.CONNECTING) throw new DOMException('still connecting', 'InvalidStateError');
    if (this.readyState === FakeSocket.OPEN) queueMicrotask(() => this.#end.onText(text));
  }

  close(code = 1005, reason = ''): void {
    if (this.readyState >= FakeSocket.CLOSING) return;
    this.readyState = FakeSocket.CLOSING;
    queueMicrotask(() => {
      this.#end.onClose(code);
      this.#closed(code, reason);
    });
  }

  #accept(): void {
    if (this.readyState !== FakeSocket.CONNECTING) return;
    this.readyState = FakeSocket.OPEN;
    this.#tell(new Event('open'), this.onopen);
  }

  #deliver(data: string): void {
    queueMicrotask(() => {
      if (this.readyState === FakeSocket.OPEN) this.#tell(new MessageEvent('message', { data }), this.onmessage);
    });
  }

  #closed(code: number, reason: string): void {
    queueMicrotask(() => {
      if (this.readyState === FakeSocket.CLOSED) return;
      this.readyState = FakeSocket.CLOSED;
      const event = Object.assign(new Event('close'), { code, reason, wasClean: code !== 1006 }) as CloseEvent;
      this.#tell(event, this.onclose);
    });
  }

  #tell<E extends Event>(event: E, handler: ((event: E) => void) | null): void {
    handler?.call(this, event);
    this.dispatchEvent(event);
  }
}
