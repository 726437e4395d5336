/** The leak test on the vector indexes of other servers, whole: 50 people, 20 groups, 5 projects, 10,000 documents. */
import { ChromaIndex } from '../../apps/server/src/adapters/chroma/chroma-index.js';
import { PgvectorIndex } from '../../apps/server/src/adapters/pgvector/pgvector-index.js';
import { describeLeaks } from '../leaks/rag-leaks.js';
import { vectorsOn } from '../leaks/vectors-on.js';
import { startChroma } from '../servers/chroma.js';
import { startPgvector } from '../servers/pgvector.js';
import { describeWithServer } from '../servers/presence.js';

const sizes = { people: 50, projects: 5, documents: 10_000, searchesEach: 1 };

describeWithServer('pgvector', () => {
  describeLeaks('pgvector', sizes, () =>
    vectorsOn(startPgvector, ({ url }) => new PgvectorIndex({ url, poolSize: 10 })),
  );
});

describeWithServer('chroma', () => {
  describeLeaks('Chroma', sizes, () =>
    vectorsOn(startChroma, ({ url }) => new ChromaIndex({ url, timeoutMs: 10_000 })),
  );
});
