import { describeLeaks } from '../leaks/rag-leaks.js';

// RAG_LEAK_DOCUMENTS=10000 is the whole size; a developer does not want to wait for it at every run.
const documents = Number(process.env['RAG_LEAK_DOCUMENTS'] ?? 2_000);
describeLeaks('the index in memory', { people: 50, projects: 5, documents, searchesEach: 2 }, async () => undefined);
