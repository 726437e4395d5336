/**
 * A list of web pages. A page that says it has not changed (`ETag`, `Last-Modified`), or has the same bytes, is not mentioned again; one that is
 * away for good (404, 410) is gone. What a site's `robots.txt` (RFC 9309) forbids to our name is left alone, also behind a redirect.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import robotsParser, { type Robot } from 'robots-parser';
import {
  type Connector,
  type ConnectorItem,
  type ConnectorRun,
  connectorError,
  isConnectorError,
  skipped,
} from './connector.js';
import {
  openWebClient,
  type WebAnswer,
  type WebClient,
  type WebClientOptions,
  type WebLimits,
  webAddress,
} from './web-client.js';

export interface WebOptions {
  readonly urls: readonly string[];
  readonly mayBePrivate?: boolean;
  readonly limits?: Partial<WebLimits>;
  /** Which addresses are refused; replaced by tests. */
  readonly isRefused?: WebClientOptions['isRefused'];
  /** Looks names up; replaced by tests. */
  readonly resolve?: WebClientOptions['resolve'];
}

// Its types say `default`, its module is the function itself.
const parseRobots = robotsParser as unknown as (url: string, content: string) => Robot;

const agentName = 'BailiwickBot';
const defaultLimits: WebLimits = { maxBytes: 50 * 1024 * 1024, maxSeconds: 60, maxRedirects: 5 };
const maxRobotsBytes = 500 * 1024;
const maxCrawlDelaySeconds = 10;

/** What is kept of a page, as its mark. */
interface PageMark {
  readonly etag?: string;
  readonly modified?: string;
  readonly sha256: string;
}

function parseMark(mark: string | undefined): PageMark | undefined {
  try {
    const value: unknown = mark === undefined ? undefined : JSON.parse(mark);
    return typeof value === 'object' && value !== null && 'sha256' in value ? (value as PageMark) : undefined;
  } catch {
    return undefined;
  }
}

/** Its content decides what a page is, but Markdown and CSV are told from plain text by the name. */
function nameOf(url: string, contentType: string): string {
  const { pathname, hostname } = new URL(url);
  let name = pathname.split('/').filter(Boolean).at(-1) ?? hostname;
  try {
    name = decodeURIComponent(name);
  } catch {
    // Percent signs that are only percent signs.
  }
  const ending = contentType.startsWith('text/markdown') ? '.md' : contentType.startsWith('text/csv') ? '.csv' : '';
  return ending === '' || /\.(?:md|markdown|csv|tsv)$/i.test(name) ? name : name + ending;
}

class Robots {
  readonly #client: WebClient;
  readonly #sites = new Map<string, Promise<Robot>>();

  constructor(client: WebClient) {
    this.#client = client;
  }

  /** Errors: `connector.robots`, and what getting the file throws. */
  async check(url: string, signal: AbortSignal | undefined): Promise<void> {
    const { origin } = new URL(url);
    const site = this.#sites.get(origin) ?? this.#read(origin, signal);
    this.#sites.set(origin, site);
    if ((await site).isAllowed(url, agentName) === false) throw connectorError('connector.robots');
  }

  async delayMs(url: string): Promise<number> {
    const robots = await this.#sites.get(new URL(url).origin)?.catch(() => undefined);
    return Math.min(robots?.getCrawlDelay(agentName) ?? 0, maxCrawlDelaySeconds) * 1000;
  }

  /** No file: all is allowed. A server in trouble: nothing is, for now. */
  async #read(origin: string, signal: AbortSignal | undefined): Promise<Robot> {
    const url = `${origin}/robots.txt`;
    const { status, body } = await this.#client.get(url, { 'user-agent': agentName }, signal ? { signal } : {});
    if (status >= 500) throw connectorError('connector.unreachable', 'Its robots.txt cannot be read.');
    const text = status >= 200 && status < 300 ? Buffer.from(body.subarray(0, maxRobotsBytes)).toString('utf8') : '';
    return parseRobots(url, text);
  }
}

/** Errors: `connector.invalid_address` for an address that is none. */
export function openWebConnector(options: WebOptions): Connector {
  const urls = [...new Set(options.urls.map(webAddress))];
  const limits = { ...defaultLimits, ...options.limits };

  function found(url: string, { headers, body }: WebAnswer, before: PageMark | undefined): ConnectorItem | undefined {
    const sha256 = createHash('sha256').update(body).digest('hex');
    if (before?.sha256 === sha256) return undefined;
    const { etag, 'last-modified': modified } = headers;
    const mark: PageMark = { ...(etag ? { etag } : {}), ...(modified ? { modified } : {}), sha256 };
    return {
      kind: 'found',
      source: url,
      name: nameOf(url, headers['content-type'] ?? ''),
      mark: JSON.stringify(mark),
      bytes: async () => body,
    };
  }

  async function visit(
    client: WebClient,
    robots: Robots,
    url: string,
    { seen, signal }: ConnectorRun,
  ): Promise<ConnectorItem | undefined> {
    const before = parseMark(seen?.get(url));
    const conditions = {
      ...(before?.etag ? { 'if-none-match': before.etag } : {}),
      ...(before?.modified ? { 'if-modified-since': before.modified } : {}),
    };
    try {
      const answer = await client.get(
        url,
        { 'user-agent': `${agentName}/1.0`, ...conditions },
        {
          mayVisit: (at) => robots.check(at, signal),
          ...(signal ? { signal } : {}),
        },
      );
      if (answer.status === 304) return undefined;
      if (answer.status === 404 || answer.status === 410)
        return seen?.has(url)
          ? { kind: 'gone', source: url }
          : skipped(url, 'connector.unreachable', `It answers ${answer.status}.`);
      if (answer.status !== 200) return skipped(url, 'connector.unreachable', `It answers ${answer.status}.`);
      return found(url, answer, before);
    } catch (error) {
      if (!isConnectorError(error)) throw error;
      return { kind: 'skipped', source: url, reason: error.details.reason, message: error.details.message };
    }
  }

  return {
    async *list(run: ConnectorRun = {}) {
      const { seen = new Map<string, string>(), signal } = run;
      const { mayBePrivate = false, isRefused, resolve } = options;
      const client = openWebClient({
        mayBePrivate,
        limits,
        ...(isRefused ? { isRefused } : {}),
        ...(resolve ? { resolve } : {}),
      });
      const robots = new Robots(client);
      try {
        for (const [index, url] of urls.entries()) {
          signal?.throwIfAborted();
          const pauseMs = index === 0 ? 0 : await robots.delayMs(url);
          if (pauseMs > 0) await sleep(pauseMs, undefined, signal ? { signal } : {});
          const item = await visit(client, robots, url, run);
          if (item) yield item;
        }
        for (const source of seen.keys()) if (!urls.includes(source)) yield { kind: 'gone', source };
      } finally {
        await client.close();
      }
    },
  };
}
