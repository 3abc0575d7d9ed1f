import { defineConfig } from 'vitest/config';

// The client's tests run in Node, with sockets and storage of their own; the views' tests need a document.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'client', environment: 'node', include: ['tests/client/**/*.test.ts'] } },
      { test: { name: 'views', environment: 'jsdom', include: ['tests/views/**/*.test.{ts,tsx}'] } },
    ],
  },
});
