/* Is the relay still there? Pings it, and says when no frame came back. Timers of a background tab may be late: a ping
 * is unanswered only when the next one is due. */
import type { Environment } from './types.js';

export const HEARTBEAT_MS = 30_000;
export const PROBE_MS = 3000;

export interface Heartbeat {
  start(intervalMs: number): void;
  /** Pings at once, with a short deadline. */
  probe(): void;
  /** A frame came. */
  heard(): void;
  stop(): void;
}

export function createHeartbeat(env: Environment, ping: () => void, dead: () => void): Heartbeat {
  let beat: unknown;
  let deadline: unknown;
  let unanswered = false;

  const endProbe = () => {
    env.clearTimeout(deadline);
    deadline = undefined;
  };
  return {
    start(intervalMs) {
      const tick = () => {
        if (unanswered) return dead();
        unanswered = true;
        beat = env.setTimeout(tick, intervalMs);
        ping();
      };
      beat = env.setTimeout(tick, intervalMs);
    },
    probe() {
      if (deadline !== undefined) return;
      deadline = env.setTimeout(dead, PROBE_MS);
      ping();
    },
    heard() {
      unanswered = false;
      endProbe();
    },
    stop() {
      unanswered = false;
      endProbe();
      env.clearTimeout(beat);
    },
  };
}
