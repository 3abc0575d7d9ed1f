/* One of the two users: a client of its own, and what the switchboard does to it. The connection is really dropped, the
 * token really refused by the relay, and samples are rows in the table. */
import { createClient } from '../../src/index.js';
import type { Client } from '../../src/types.js';

const PATH = '/api/v1/notifications/ws';

export interface Person {
  readonly name: string;
  readonly client: Client;
  readonly dropConnection: () => void;
  readonly expireToken: () => void;
  /** False: this relay makes no samples. */
  readonly makeSamples: (count: number) => Promise<boolean>;
}

const tokenOf = (name: string) => `dummy-jwt-for-${name}`;

/** `other`: whose token gets this one's connection closed with 4001, as an expired one would. */
export function createPerson(name: string, other: string): Person {
  let socket: WebSocket | undefined;
  class KeptSocket extends WebSocket {
    constructor(url: string, protocols: string) {
      super(url, protocols);
      // oxlint-disable-next-line no-this-alias -- the switchboard needs the newest one
      socket = this;
    }
  }
  const client = createClient({
    url: PATH,
    getToken: () => tokenOf(name),
    shareSocket: false, // two users on one page, and every tab for itself
    environment: { WebSocket: KeptSocket },
  });
  return {
    name,
    client,
    dropConnection: () => socket?.close(),
    expireToken: () => socket?.send(JSON.stringify({ type: 'authenticate', token: tokenOf(other) })),
    async makeSamples(count) {
      const answer = await fetch(`dev/samples?count=${count}`, { method: 'POST', headers: { Authorization: `Bearer ${tokenOf(name)}` } });
      return answer.ok;
    },
  };
}
