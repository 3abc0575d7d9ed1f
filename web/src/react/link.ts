/* A notification's address goes in; what may become a link comes out. The address is somebody's data: `javascript:`
 * and its relatives must never be clickable. */

const ALLOWED = ['http:', 'https:', 'mailto:'];

export interface Link {
  readonly href: string;
  /** Of another site: opened beside the application. */
  readonly external: boolean;
}

/** Null: no address, or one that is not to be followed. */
export function linkOf(address: string | null): Link | null {
  if (!address) return null;
  try {
    const { href, protocol, origin } = new URL(address, location.href);
    return ALLOWED.includes(protocol) ? { href, external: protocol !== 'mailto:' && origin !== location.origin } : null;
  } catch {
    return null;
  }
}
