/** A gateway alone, in this process, with an APISIX file of the test's own: for the `ai-*` plugins. */
import { stringify } from 'yaml';
import { embeddedGateway } from '../../conformance/gateway/targets.js';

export interface AiGateway {
  readonly url: string;
  apply(plugins: Record<string, unknown>, more?: Record<string, unknown>): Promise<void>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

/** One route `/*` with the plugins, labelled with the project `p`; `more` are further resources. */
export async function startAiGateway(): Promise<AiGateway> {
  const target = await embeddedGateway();
  return {
    url: target.url,
    apply: async (plugins, more = {}) => {
      const route = { id: 'llm', uri: '/*', labels: { project: 'p' }, plugins };
      await target.apply(`${stringify({ routes: [route], ...more }, { aliasDuplicateObjects: false })}#END\n`);
    },
    post: async (path, body, headers = {}) =>
      await fetch(target.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    metrics: async () => await (await fetch(`${target.url}/metrics`)).text(),
    stop: async () => await target.stop(),
  };
}
