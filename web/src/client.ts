/* The client of one tab: options in, methods and events out. */
import type { Client, ClientOptions } from './types.js';

/** Does nothing and touches no global before connect(): safe to import and call on a server. */
export declare function createClient(options?: ClientOptions): Client;

/** A client with the defaults. */
export declare const wsService: Client;
