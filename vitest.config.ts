import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Not 'import': it would also be given to require(), and CommonJS packages would get ES modules they cannot use.
  resolve: { conditions: ['bailiwick:source', 'node'] },
  ssr: { resolve: { conditions: ['bailiwick:source', 'node'] } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', 'test/real/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
