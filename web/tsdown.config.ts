import { existsSync } from 'node:fs';
import { defineConfig } from 'tsdown';

// One file for each entry of package.json's "exports", and the part that the client loads when it needs it.
const entries = { index: 'src/index.ts', react: 'src/react/index.ts', testing: 'src/testing/index.ts', stream: 'src/stream.ts' };

export default defineConfig({
  entry: Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(file))),
  platform: 'neutral',
  target: 'es2022',
  fixedExtension: false,
  dts: true,
  copy: existsSync('src/styles.css') ? ['src/styles.css'] : [],
});
