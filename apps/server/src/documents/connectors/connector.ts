/** Where documents come from besides uploads: a folder, a Git repository, a list of web pages. What they share. */
import { BailiwickError, type ErrorKind } from '@bailiwick/contract';

/** What a run finds, in no order; a `cursor` comes last, if at all. What is unchanged is not mentioned. */
export type ConnectorItem =
  | {
      readonly kind: 'found';
      /** `folder:PATH`, `git:REPOSITORY/PATH` or the page's address: unique, and the same in every run. */
      readonly source: string;
      /** The file's name, or the last part of the address. */
      readonly name: string;
      /** Give it to the next run with its source: the same mark means the same content. */
      readonly mark: string;
      /** To be called before the next item is asked for. Errors: `connector.*`. */
      bytes(): Promise<Uint8Array>;
    }
  | { readonly kind: 'gone'; readonly source: string }
  | { readonly kind: 'skipped'; readonly source: string; readonly reason: ConnectorRefusal; readonly message: string }
  | { readonly kind: 'cursor'; readonly cursor: string };

export interface ConnectorRun {
  /** Source → mark, as the runs before gave them. */
  readonly seen?: ReadonlyMap<string, string>;
  /** As the last run gave it. */
  readonly cursor?: string;
  readonly signal?: AbortSignal;
}

export interface Connector {
  /** Errors: `connector.*` when the whole place cannot be read, the signal's reason; one file's faults are items. */
  list(run?: ConnectorRun): AsyncIterable<ConnectorItem>;
}

const refusals = {
  'connector.invalid_address': ['invalid', 'The address is not one that can be read.'],
  'connector.not_allowed': ['forbidden', 'This place is outside of what the settings allow.'],
  'connector.private_address': [
    'forbidden',
    'The address leads to a private network, which the settings do not allow.',
  ],
  'connector.leads_outside': ['forbidden', 'The link leads out of the folder.'],
  'connector.robots': ['forbidden', 'The site asks programs to leave this page alone (robots.txt).'],
  'connector.too_large': ['too-large', 'There is more than may be read.'],
  'connector.takes_too_long': ['timeout', 'Reading takes too long.'],
  'connector.unreachable': ['unavailable', 'It cannot be reached, or does not answer as it should.'],
} as const satisfies Record<string, readonly [ErrorKind, string]>;

export type ConnectorRefusal = keyof typeof refusals;

/** `detail` is a sentence more for people; no credentials, no content. */
export function connectorError(reason: ConnectorRefusal, detail?: string, cause?: unknown): BailiwickError {
  const [kind, message] = refusals[reason];
  const text = detail === undefined ? message : `${message} ${detail}`;
  return new BailiwickError(kind, { reason, message: text, ...(cause === undefined ? {} : { cause }) });
}

export const isConnectorError = (error: unknown): error is BailiwickError & { details: { reason: ConnectorRefusal } } =>
  error instanceof BailiwickError && error.details.reason in refusals;

export function skipped(source: string, reason: ConnectorRefusal, detail?: string): ConnectorItem {
  return { kind: 'skipped', source, reason, message: connectorError(reason, detail).details.message };
}
