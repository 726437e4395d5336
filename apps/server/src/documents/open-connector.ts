/** The connector of a reference, within what the operator allows. */
import type { DocumentReference } from '@bailiwick/contract';
import type { Connector } from './connectors/connector.js';
import { openFolderConnector } from './connectors/folder-connector.js';
import { openGitConnector } from './connectors/git-connector.js';
import { openWebConnector } from './connectors/web-connector.js';

export interface ConnectorFence {
  /** Folders that may be read, with everything below; also by `file:` addresses of repositories. */
  readonly allowedRoots: readonly string[];
  /** Whether pages and repositories in private networks may be read. */
  readonly mayBePrivate: boolean;
  readonly maxFileBytes: number;
}

/** Errors: `connector.invalid_address`. */
export function openConnector(reference: DocumentReference, fence: ConnectorFence): Connector {
  const { allowedRoots, mayBePrivate, maxFileBytes } = fence;
  switch (reference.kind) {
    case 'folder':
      return openFolderConnector({ path: reference.path, allowedRoots, maxFileBytes });
    case 'git':
      return openGitConnector({
        ...{ url: reference.url, allowedRoots, mayBePrivate, limits: { maxFileBytes } },
        ...(reference.ref === undefined ? {} : { branch: reference.ref }),
      });
    case 'web':
      return openWebConnector({ urls: reference.urls, mayBePrivate, limits: { maxBytes: maxFileBytes } });
  }
}
