/* The HTTP side of a relay under test: it is given to `fetch`, and says what the test makes it say. */
import { vi } from 'vitest';

export interface FakeStream {
  readonly headers: Headers;
  readonly url: string;
  isOpen(): boolean;
  /** Bytes as they are. */
  write(text: string | Uint8Array): void;
  /** A frame as the relay writes it; its cursor is the id. */
  push(frame: { readonly type: string; readonly cursor?: string; readonly [name: string]: unknown }): void;
  /** The connection breaks. */
  end(): void;
}

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly token: string | null;
  readonly content: unknown;
  answer(status: number, body?: unknown, headers?: Record<string, string>): void;
}

export interface FakeHttp {
  readonly streams: FakeStream[];
  /** Not answered yet, or not taken by the test. */
  readonly requests: FakeRequest[];
  /** What the next streams get instead of one; null: they open. `lost`: no connection. */
  refusal: Response | 'lost' | null;
}

const PATH = '/api/v1/notifications';

/** In place of the global `fetch`, until vi.unstubAllGlobals(). */
export function stubHttp(): FakeHttp {
  const http: FakeHttp = { streams: [], requests: [], refusal: null };

  function openStream(url: URL, init: RequestInit): Response {
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    let isOpen = true;
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given), cancel: () => void (isOpen = false) });
    init.signal?.addEventListener('abort', () => {
      if (isOpen) controller.error(new DOMException('aborted', 'AbortError'));
      isOpen = false;
    });
    const write = (text: string | Uint8Array) => controller.enqueue(typeof text === 'string' ? encoder.encode(text) : text);
    http.streams.push({
      headers: new Headers(init.headers), url: url.href, write,
      isOpen: () => isOpen,
      push: (frame) => write(`${frame.cursor ? `id: ${frame.cursor}\n` : ''}data: ${JSON.stringify(frame)}\n\n`),
      end() {
        isOpen = false;
        controller.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  }

  function request(url: URL, init: RequestInit): Promise<Response> {
    return new Promise((resolve) => http.requests.push({
      method: init.method ?? 'GET',
      path: url.pathname.slice(PATH.length) + url.search,
      token: new Headers(init.headers).get('authorization'),
      content: init.body ? JSON.parse(init.body as string) : null,
      answer: (status, body = {}, headers = {}) => resolve(new Response(JSON.stringify(body), { status, headers })),
    }));
  }

  vi.stubGlobal('fetch', async (given: string, init: RequestInit = {}) => {
    const url = new URL(given);
    if (url.pathname !== `${PATH}/stream`) return request(url, init);
    if (http.refusal === 'lost') throw new TypeError('fetch failed');
    return http.refusal?.clone() ?? openStream(url, init);
  });
  return http;
}

export const problem = (status: number, close_code: number, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ status, close_code, detail: 'as the test wants it' }), { status, headers });
