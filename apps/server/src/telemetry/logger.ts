/** The program's logger; each role takes a child with its `service`. One JSON line a request: `ts, service, level, request_id, method, path, status, latency_ms` (specification section 11). */
import pino from 'pino';
import { activeTraceId } from './tracing.js';

export type Logger = pino.Logger;

export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
      messageKey: 'message',
      errorKey: 'error',
      mixin: () => {
        const traceId = activeTraceId();
        return traceId === undefined ? {} : { trace_id: traceId };
      },
      redact: {
        paths: ['headers.authorization', 'headers.cookie', 'token', 'password', 'secret', '*.authorization'],
        censor: '[redacted]',
      },
    },
    pino.destination({ fd: 2, sync: false }),
  );
}
