import { describe, expect, it, vi } from 'vitest';
import type { DocumentCatalog, DocumentChange } from '../ports/document-catalog.port.js';
import { CatalogFollower } from './catalog-follower.js';
import { LocalIndex } from './retrieval/local-index.js';

/** A catalog of which only the feed is asked. */
function feedOf(changes: readonly DocumentChange[]): DocumentCatalog {
  const changesAfter = async (cursor: string | undefined) => ({
    changes: cursor === 'end' ? [] : changes,
    cursor: 'end',
  });
  return { changesAfter } as Partial<DocumentCatalog> as DocumentCatalog;
}

describe('following a catalog', () => {
  it.each([
    ['nothing', []],
    ['only what is gone', [{ project: 'p', id: 'd', document: null }]],
  ])('opens no embedding model where there is %s', async (_what, changes) => {
    const embedder = vi.fn(async () => undefined);
    const onError = vi.fn();
    const parts = { catalog: feedOf(changes), local: new LocalIndex(), vectors: undefined, embedder, onError };
    const follower = new CatalogFollower(parts);
    follower.start();
    expect(await follower.caughtUp(5_000)).toBe(true);
    await follower.stop();
    expect(embedder).not.toHaveBeenCalled();
    expect(onError).not.toHaveBeenCalled();
  });
});
