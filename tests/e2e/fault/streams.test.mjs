// Every tab on Server-Sent Events, and their connections broken again and again: the judge of the histories on
// WebSockets finds nothing either. (A part of the tabs of the other histories are on streams as well.)
import { after, before, describe, it } from 'node:test';
import { certificate } from '../lib/certificate.mjs';
import { form, random } from '../lib/form.mjs';
import { History } from '../lib/history.mjs';
import { every } from '../lib/wait.mjs';

const SECONDS = form(12, 60);
const DROP_MS = 100;

for (const [what, settings] of [['', () => ({})], [' over TLS', () => {
  const { cert, key } = certificate('history');
  return { HERALD_TLS_CERT: cert, HERALD_TLS_KEY: key };
}]]) {
  describe(`a history on streams${what}`, () => {
    let history;
    before(async () => {
      history = await History.start({ users: 100, streams: 1, relayEnv: settings() });
    });
    after(() => history?.end());

    it('every tab shows what the table says, each version once, across breaks', async (t) => {
      const dice = random('drops');
      await every(DROP_MS, AbortSignal.timeout(SECONDS * 1000), () => dice.of(history.tabs).drop());
      t.diagnostic(JSON.stringify(await history.judge()));
    });
  });
}
