import { defineConfig } from 'vite';

// The demo page. Its build is checked in, so that `pgherald dev` needs no Node: three files with fixed names, which the
// relay carries inside. The same sources always give the same bytes.
export default defineConfig({
  root: 'demo',
  base: './',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    reportCompressedSize: false,
    rolldownOptions: { output: { entryFileNames: 'demo.js', assetFileNames: 'demo[extname]', codeSplitting: false } },
  },
});
