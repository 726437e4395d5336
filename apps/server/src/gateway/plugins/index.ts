/** Every plugin of the gateway. A new one is a file here and a line in this table. */
import type { Plugin } from '../plugin.js';
import { opa } from './opa.js';
import { openidConnect } from './openid-connect.js';
import { proxyRewrite } from './proxy-rewrite.js';
import { requestId } from './request-id.js';

const table = [requestId, openidConnect, opa, proxyRewrite] as unknown as readonly Plugin[];

export const plugins: ReadonlyMap<string, Plugin> = new Map(table.map((plugin) => [plugin.name, plugin]));
