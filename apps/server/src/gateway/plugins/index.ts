/** Every plugin of the gateway. A new one is a file here and a line in this table. */
import type { Plugin, PluginRegistry } from '../plugin.js';
import { aiCache } from './ai-cache.js';
import { aiPromptDecorator } from './ai-prompt-decorator.js';
import { aiPromptGuard } from './ai-prompt-guard.js';
import { aiPromptTemplate } from './ai-prompt-template.js';
import { aiProxy } from './ai-proxy.js';
import { aiProxyMulti } from './ai-proxy-multi.js';
import { aiRateLimiting } from './ai-rate-limiting.js';
import { apiBreaker } from './api-breaker.js';
import { consumerRestriction } from './consumer-restriction.js';
import { cors } from './cors.js';
import { httpLogger } from './http-logger.js';
import { ipRestriction } from './ip-restriction.js';
import { jwtAuth } from './jwt-auth.js';
import { keyAuth } from './key-auth.js';
import { limitConn } from './limit-conn.js';
import { limitCount } from './limit-count.js';
import { limitReq } from './limit-req.js';
import { opa } from './opa.js';
import { openidConnect } from './openid-connect.js';
import { opentelemetry } from './opentelemetry.js';
import { prometheus } from './prometheus.js';
import { proxyRewrite } from './proxy-rewrite.js';
import { requestId } from './request-id.js';
import { responseRewrite } from './response-rewrite.js';
import { trafficSplit } from './traffic-split.js';

const table = [
  requestId,
  opentelemetry,
  cors,
  ipRestriction,
  openidConnect,
  jwtAuth,
  keyAuth,
  consumerRestriction,
  opa,
  aiProxy,
  aiProxyMulti,
  aiCache,
  aiRateLimiting,
  aiPromptGuard,
  aiPromptTemplate,
  aiPromptDecorator,
  proxyRewrite,
  apiBreaker,
  limitConn,
  limitCount,
  limitReq,
  trafficSplit,
  responseRewrite,
  prometheus,
  httpLogger,
] as unknown as readonly Plugin[];

export const plugins: PluginRegistry = new Map(table.map((plugin) => [plugin.name, plugin]));
