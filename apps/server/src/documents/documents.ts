/** The RAG service put together: what it takes in, what it searches, what it answers. */
import type { DocumentReference } from '@bailiwick/contract';
import type { AuditService } from '../audit/audit-service.js';
import type { Enforcer } from '../decisions/enforcer.js';
import type { DocumentCatalog } from '../ports/document-catalog.port.js';
import type { Embedder } from '../ports/embedder.port.js';
import type { KeyValueStore } from '../ports/key-value-store.port.js';
import type { LanguageModel } from '../ports/language-model.port.js';
import type { VectorIndex } from '../ports/vector-index.port.js';
import type { RagMetrics } from '../telemetry/rag-metrics.js';
import { AnswerService } from './answers/answer-service.js';
import { FeedbackLog } from './answers/feedback-log.js';
import { CatalogFollower } from './catalog-follower.js';
import type { Connector } from './connectors/connector.js';
import { DocumentService } from './document-service.js';
import { EmbedderInUse } from './embedder-in-use.js';
import { Ingestion } from './ingestion.js';
import { Originals } from './originals.js';
import { Progress } from './progress.js';
import { openDocumentReader } from './reading/document-reader.js';
import { References } from './references.js';
import { LocalIndex } from './retrieval/local-index.js';
import type { Reranker } from './retrieval/reranker.js';
import { SearchService } from './retrieval/search-service.js';
import { Visibility } from './visibility.js';

export interface DocumentsParts {
  readonly catalog: DocumentCatalog;
  /** Undefined: vectors are in the memory of this process. */
  readonly vectors: VectorIndex | undefined;
  readonly store: KeyValueStore;
  readonly enforcer: Enforcer;
  readonly audit: AuditService;
  /** Tried again until it gives a model: it may be fetched while the server runs. */
  readonly openEmbedder: () => Promise<Embedder | undefined>;
  readonly model: LanguageModel | undefined;
  readonly reranker: Reranker | undefined;
  readonly metrics: RagMetrics;
  readonly openConnector: (reference: DocumentReference) => Connector;
  /** Of the originals. */
  readonly folder: string;
  readonly instanceId: string;
  /** No other instance has this catalog. */
  readonly isAlone: boolean;
  readonly onError: (what: string) => (error: unknown) => void;
}

export interface Documents {
  readonly service: DocumentService;
  readonly progress: Progress;
  readonly search: SearchService;
  readonly answers: AnswerService;
  readonly feedback: FeedbackLog;
  readonly references: References;
  /** Follows the catalog; what searches need. */
  start(): void;
  /** Reads and embeds what is queued. */
  startWork(): void;
  stop(): Promise<void>;
}

export function buildDocuments(parts: DocumentsParts): Documents {
  const { catalog, vectors, store, audit, metrics, onError } = parts;
  const local = new LocalIndex();
  const progress = new Progress();
  const inUse = new EmbedderInUse(parts.openEmbedder, onError('the embedding model cannot be used'));
  const embedder = async (): Promise<Embedder | undefined> => await inUse.use();
  const follower = new CatalogFollower({
    ...{ catalog, local, vectors, embedder },
    onError: onError('the index cannot follow the catalog'),
  });
  inUse.onChange(() => follower.restart());
  const visibility = new Visibility(parts.enforcer);
  const originals = new Originals(parts.folder);
  const reader = openDocumentReader();
  const ingestion = new Ingestion({
    ...{
      catalog,
      originals,
      reader,
      embedder,
      instanceId: parts.instanceId,
      isAlone: parts.isAlone,
    },
    nowMs: Date.now,
    onProgress: (step) => {
      progress.tell(step);
      metrics.ingested(step.step);
    },
    publish: async (project, write) => await follower.publish(project, write),
    onError: onError('a document cannot be taken in now; it is tried again'),
  });
  const service = new DocumentService({
    ...{ catalog, originals, visibility, audit, nowMs: Date.now },
    onWork: () => ingestion.poke(),
    forget: async () => await follower.catchUp(),
  });
  const search = new SearchService({
    ...{ catalog, local, vectors, embedder, follower, visibility, reranker: parts.reranker },
    observe: (step, seconds) => metrics.searched(step, seconds),
    onError: onError('a part of the search is away'),
  });
  const answers = new AnswerService({
    ...{ search, model: parts.model },
    observe: (about) => metrics.answered(about),
    onError: onError('the question was not rewritten'),
  });
  const references = new References({
    ...{ service, store, open: parts.openConnector },
    onError: onError('a reference cannot be read'),
  });
  metrics.gauges({ chunks: () => local.chunks, unembedded: () => follower.unembedded });
  return {
    ...{ service, progress, search, answers, references },
    feedback: new FeedbackLog(store),
    start: () => follower.start(),
    startWork: () => ingestion.start(),
    stop: async () => {
      await references.stop();
      await ingestion.stop();
      await follower.stop();
      await reader.close();
      await inUse.stop();
    },
  };
}
