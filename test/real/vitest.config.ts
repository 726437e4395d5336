/** Runs the suites that need real servers: `npm run test:real`. One file at a time, for the servers' sake. */
import { defineConfig } from 'vitest/config';

// Not 'import': it would also be given to require(), and CommonJS packages would get ES modules they cannot use.
const conditions = ['bailiwick:source', 'node'];

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    globalSetup: ['test/real/announce-servers.ts'],
    include: ['test/real/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
  },
});
