import { existsSync } from 'node:fs';
import { defineConfig } from 'tsdown';

// One file for each entry of package.json's "exports".
const entries = { index: 'src/index.ts', react: 'src/react/index.ts', testing: 'src/testing/index.ts' };

export default defineConfig({
  entry: Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(file))),
  platform: 'neutral',
  target: 'es2022',
  fixedExtension: false,
  dts: true,
  copy: existsSync('src/styles.css') ? ['src/styles.css'] : [],
});
