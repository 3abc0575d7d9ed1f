/* The life of the page: what the browser tells of network, view and storage. Listens only while it is asked to. */
import type { Environment } from './types.js';

export interface PageEvents {
  /** The connection may be worse than it seems; `fresh` (online, visible): or better. */
  onWake(fresh: boolean): void;
  /** The page will not run for a while, or never again. */
  onSuspend(): void;
  onRestore(): void;
  onStorage(event: StorageEvent): void;
}

/** The answer ends it. */
export function watchPage({ window, document }: Environment, on: PageEvents): () => void {
  const controller = new AbortController();
  const listen = (target: EventTarget | undefined, type: string, handler: (event: never) => void) =>
    target?.addEventListener(type, handler as EventListener, { signal: controller.signal });

  listen(window, 'online', () => on.onWake(true));
  listen(window, 'offline', () => on.onWake(false));
  listen(document, 'visibilitychange', () => document?.visibilityState === 'visible' && on.onWake(true));
  // A page that is kept for the back button must have no socket and no lock.
  listen(window, 'pagehide', on.onSuspend);
  listen(document, 'freeze', on.onSuspend);
  listen(window, 'pageshow', on.onRestore);
  listen(document, 'resume', on.onRestore);
  listen(window, 'storage', on.onStorage);
  return () => controller.abort();
}
