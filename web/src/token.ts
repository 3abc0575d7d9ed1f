/* Whose a token is, as far as this tab can tell: tabs share a socket only within one user. The relay alone judges. */

/** `iss` and `sub` of a JWT; of anything else a digest, so that no name of a lock holds a token. */
export function identityOf(token: string): string {
  try {
    const { iss, sub } = JSON.parse(atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/')));
    if (sub) return JSON.stringify([iss, sub]);
  } catch {
    // not a JWT
  }
  return digest(token);
}

/** FNV-1a, twice with different beginnings. */
function digest(text: string): string {
  let [a, b] = [0x811c9dc5, 0x050c5d1f];
  for (const letter of text) {
    const code = letter.codePointAt(0)!;
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x01000197);
  }
  return `${(a >>> 0).toString(36)}${(b >>> 0).toString(36)}`;
}
