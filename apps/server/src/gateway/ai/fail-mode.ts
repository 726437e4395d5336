/** `fail_mode` of `ai-cache` and `ai-prompt-guard`: what becomes of a request that they cannot read as a call of a language model. */
import type { Logger } from '../../telemetry/logger.js';
import type { Exchange } from '../exchange.js';
import type { Outcome } from '../plugin.js';
import { oneOf } from '../resource-schemas.js';

export type FailMode = 'skip' | 'warn' | 'error';

/** `skip`: it passes; `warn`: it passes and the log says so; `error`: it is refused. */
export const failMode = oneOf(['skip', 'warn', 'error'], { default: 'skip' });

export function whenUnreadable(mode: FailMode, plugin: string, exchange: Exchange, logger: Logger): Outcome {
  if (mode === 'error') return { status: 400, body: { message: `Request format not recognized by ${plugin}` } };
  if (mode === 'warn')
    logger.warn(
      { request_id: exchange.requestId, route: exchange.route?.id, plugin },
      'a request passes that this plugin cannot read as a call of a language model',
    );
  return undefined;
}
