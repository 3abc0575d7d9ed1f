/* The one error that the client rejects with. */
import type { HeraldErrorCode } from './types.js';

export class HeraldError extends Error {
  override readonly name = 'HeraldError';
  constructor(
    readonly code: HeraldErrorCode,
    message: string = code,
    /** When trying again makes sense, if the relay said so. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}
