/* The parts of the browser that the client uses, looked up when it connects and not at import. */
import type { Environment } from './types.js';

/** Also of a server or an old browser: what is missing is undefined. */
export function environmentOf(given: Partial<Environment> = {}): Environment {
  const { window, document, navigator, WebSocket, BroadcastChannel } = globalThis as Partial<typeof globalThis>;
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    setTimeout: (callback, ms) => setTimeout(callback, ms),
    clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
    WebSocket: WebSocket as Environment['WebSocket'],
    storage: storageOf(window),
    locks: navigator?.locks,
    BroadcastChannel,
    window,
    document,
    ...given,
  };
}

/** A page whose storage is blocked throws when it is touched. */
function storageOf(window: { readonly localStorage: Storage } | undefined): Storage | undefined {
  try {
    return window?.localStorage;
  } catch {
    return undefined;
  }
}
