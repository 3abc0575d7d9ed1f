/* What a connection says of itself, to its own tab and to those that share it: plain data, so that it can be posted. */
import { HeraldError } from './error.js';
import type { CloseRecord, ConnectionState, HeraldErrorCode, StateReason, Transport } from './types.js';

export interface Status {
  readonly state: ConnectionState;
  readonly reason: StateReason;
  readonly error: { readonly code: HeraldErrorCode; readonly message: string } | null;
  readonly attempts: number;
  readonly retryAt: number | null;
  readonly closes: readonly CloseRecord[];
  readonly roundTripMs: number | null;
  readonly transport: Transport;
  /** A different string for every connection that a token was taken on. */
  readonly session: string;
}

export const CLOSED: Status = {
  state: 'CLOSED', reason: 'disconnect', error: null, attempts: 0, retryAt: null, closes: [], roundTripMs: null,
  transport: 'websocket', session: '',
};

export const errorOf = ({ error }: Status): HeraldError | null => error && new HeraldError(error.code, error.message);
