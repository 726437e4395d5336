/** Unleash on the PostgreSQL of DATABASE_URL, on PORT of 127.0.0.1, with the tokens that the benchmark uses. */
import { start } from 'unleash-server';

await start({
  databaseUrl: process.env.DATABASE_URL,
  server: { host: '127.0.0.1', port: Number(process.env.PORT), enableRequestLogger: false },
  logLevel: 'error',
  authentication: {
    type: 'none',
    initApiTokens: [
      { environment: '*', projects: ['*'], secret: '*:*.bench-admin', tokenName: 'admin', type: 'admin' },
      {
        ...{ environment: 'development', projects: ['*'], secret: '*:development.bench-frontend' },
        ...{ tokenName: 'frontend', type: 'frontend' },
      },
    ],
  },
  versionCheck: { enable: false },
  telemetry: false,
});
