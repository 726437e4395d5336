/** The leak test on the index in memory, and on stand-ins for the vector indexes that cannot be had here; test/real has the others. */
import { MilvusIndex } from '../../apps/server/src/adapters/milvus/milvus-index.js';
import { QdrantIndex } from '../../apps/server/src/adapters/qdrant/qdrant-index.js';
import { describeLeaks } from '../leaks/rag-leaks.js';
import { vectorsOn } from '../leaks/vectors-on.js';
import { startMilvusStandIn } from '../servers/milvus-stand-in.js';
import { startQdrantStandIn } from '../servers/qdrant-stand-in.js';

// RAG_LEAK_DOCUMENTS=10000 is the whole size; a developer does not want to wait for it at every run.
const documents = Number(process.env['RAG_LEAK_DOCUMENTS'] ?? 2_000);
const sizes = { people: 50, projects: 5, documents, searchesEach: 1 };

describeLeaks('the index in memory', sizes, async () => undefined);
describeLeaks('a stand-in for Qdrant', sizes, () =>
  vectorsOn(startQdrantStandIn, ({ url }) => new QdrantIndex({ url })),
);
describeLeaks('a stand-in for Milvus', sizes, () =>
  vectorsOn(startMilvusStandIn, ({ url }) => new MilvusIndex({ url })),
);
