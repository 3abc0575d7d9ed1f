export { createClient, wsService } from './client.js';
export { HeraldError } from './error.js';
export { CloseCode } from './protocol.js';
export type * from './types.js';
