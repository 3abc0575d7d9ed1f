/* What the client is doing, for the developer: its own names, untranslated, and a log to send along. */
import { useEffect, useReducer } from 'react';
import type { Client } from '../types.js';
import type { Labels } from './labels/labels.js';

const REFRESH_MS = 1000;

function saveLog(client: Client): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(client.getDebugInfo(), null, 1)], { type: 'application/json' }));
  Object.assign(document.createElement('a'), { href: url, download: 'pgherald-log.json' }).click();
  URL.revokeObjectURL(url);
}

export function DebugPanel({ client, labels }: { client: Client; labels: Labels }) {
  const [, refresh] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const timer = setInterval(refresh, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const { log, closes, ...facts } = client.getDebugInfo();
  const shown = { ...facts, closes: closes.map(({ code }) => code).join(', '), log: `${log.length} entries` };
  return (
    <details className="pgh-debug">
      <summary>{labels.debug}</summary>
      <dl dir="ltr">
        {Object.entries(shown).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{String(value ?? '') || '–'}</dd>
          </div>
        ))}
      </dl>
      <button type="button" className="pgh-button" onClick={() => saveLog(client)}>{labels.exportLog}</button>
    </details>
  );
}
