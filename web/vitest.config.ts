import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// React 18 has a folder of its own, with all that must not mix it with React 19.
const react18 = ['react', 'react-dom', '@testing-library/react'].map((name) => ({
  find: new RegExp(`^${name}(?=/|$)`),
  replacement: fileURLToPath(new URL(`tests/react18/node_modules/${name}`, import.meta.url)),
}));

// The client's tests run in Node, with sockets and storage of their own; the views' tests need a document.
// Time is the tests' own, but for these limits: a machine may be many times slower than ours, or stand still for seconds.
const limits = { testTimeout: 60_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    projects: [
      { test: { ...limits, name: 'client', environment: 'node', include: ['tests/client/**/*.test.ts'] } },
      { test: { ...limits, name: 'views', environment: 'jsdom', include: ['tests/views/**/*.test.{ts,tsx}'] } },
      { resolve: { alias: react18 }, test: { ...limits, name: 'views on React 18', environment: 'jsdom', include: ['tests/views/**/*.test.tsx'] } },
    ],
  },
});
