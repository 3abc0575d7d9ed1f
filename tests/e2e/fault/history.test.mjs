// Random transactions, hundreds of tabs, no faults: in the end every tab shows what the table says.
import { after, before, describe, it } from 'node:test';
import { form } from '../lib/form.mjs';
import { History } from '../lib/history.mjs';
import { sleep } from '../lib/wait.mjs';

const SECONDS = form(12, 60);

describe('a history of random transactions', () => {
  let history;
  before(async () => {
    history = await History.start();
  });
  after(() => history?.end());

  it('every tab shows what the table says, each version once, and nothing that was rolled back', async (t) => {
    await sleep(SECONDS * 1000);
    t.diagnostic(JSON.stringify(await history.judge()));
  });
});
