/** Runs the suites that need real servers: `npm run test:real`. One file at a time, for the servers' sake. */
import { defineConfig } from 'vitest/config';

const conditions = ['bailiwick:source', 'node', 'import', 'default'];

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['test/real/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 180_000,
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
  },
});
