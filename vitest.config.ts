import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['bailiwick:source', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['bailiwick:source', 'node', 'import', 'default'] } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', 'test/real/**'],
    testTimeout: 20_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
