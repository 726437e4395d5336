import { describe, expect, it, vi } from 'vitest';
import type { DocumentCatalog, DocumentChange } from '../ports/document-catalog.port.js';
import { CatalogFollower } from './catalog-follower.js';
import { LocalIndex } from './retrieval/local-index.js';

/** A catalog of which only the feed is asked. */
function feedOf(changes: readonly DocumentChange[]) {
  const changesAfter = vi.fn(async (cursor: string | undefined) => ({
    changes: cursor === 'end' ? [] : changes,
    cursor: 'end',
  }));
  return { changesAfter, catalog: { changesAfter } as Partial<DocumentCatalog> as DocumentCatalog };
}

describe('following a catalog', () => {
  it.each([
    ['nothing', []],
    ['only what is gone', [{ project: 'p', id: 'd', document: null }]],
  ])('opens no embedding model where there is %s', async (_what, changes) => {
    const embedder = vi.fn(async () => undefined);
    const onError = vi.fn();
    const { catalog, changesAfter } = feedOf(changes);
    const parts = { catalog, local: new LocalIndex(), vectors: undefined, embedder, onError };
    const follower = new CatalogFollower(parts);
    follower.start();
    expect(await follower.caughtUp(5_000)).toBe(true);
    // A whole round more: what the first one does after it has caught up is over then.
    const asked = changesAfter.mock.calls.length;
    follower.poke();
    await vi.waitFor(() => expect(changesAfter.mock.calls.length).toBeGreaterThan(asked), { timeout: 5_000 });
    await follower.stop();
    expect(embedder).not.toHaveBeenCalled();
    expect(onError).not.toHaveBeenCalled();
  });
});
