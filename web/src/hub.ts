/* Where a tab gets its frames from: a socket of its own, or one that it shares with other tabs (share.ts). */
import { createConnection, type ConnectionOptions } from './connection.js';
import type { Connected } from './protocol.js';
import type { Status } from './status.js';
import type { ClientFrame, StateReason } from './types.js';

export interface Hub {
  connect(reason: StateReason): void;
  /** Says so if it had a socket. */
  disconnect(reason: StateReason, allTabs: boolean): void;
  /** Without a word; connect() goes on. */
  suspend(): void;
  wake(fresh: boolean): void;
  transmit(message: ClientFrame): void;
  status(): Status;
  readonly shared: boolean;
  isLeader(): boolean;
}

export type HubOptions = Omit<ConnectionOptions, 'admit'> & {
  /** This tab joins a connection that is open already: as if it had just been made. */
  readonly onHello: (frame: Connected) => void;
  /** Another tab logged out. */
  readonly onLogout: () => void;
};

export function createOwnHub(options: HubOptions): Hub {
  const connection = createConnection({ ...options, admit: () => {} });
  return { ...connection, suspend: connection.release, shared: false, isLeader: () => true };
}
