/* Which version of which notification was given to the listeners: duplicates and stale versions stop here. */

const MAX = 1000;

export interface Seen {
  /** False: this version, or a later one, was here before. */
  isNew(id: string, version: number): boolean;
  clear(): void;
}

export function createSeen(): Seen {
  const versions = new Map<string, number>(); // the longest unchanged first
  return {
    isNew(id, version) {
      if (version <= (versions.get(id) ?? 0)) return false;
      versions.delete(id);
      versions.set(id, version);
      if (versions.size > MAX) versions.delete(versions.keys().next().value!);
      return true;
    },
    clear: () => versions.clear(),
  };
}
