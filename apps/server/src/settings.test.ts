import { describe, expect, it } from 'vitest';
import { readSettings, SettingsError } from './settings.js';

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    readSettings(environment);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
}

describe('settings', () => {
  it.each([
    ['BAILIWICK_DOCUMENT_CATALOG', 'mongodb', { BAILIWICK_MONGODB_URL: 'mongodb://h' }],
    ['BAILIWICK_DOCUMENT_CATALOG', 'cosmos', { BAILIWICK_COSMOS_ENDPOINT: 'https://h', BAILIWICK_COSMOS_KEY: 'a2V5' }],
    ['BAILIWICK_VECTOR_INDEX', 'pgvector', { BAILIWICK_PGVECTOR_URL: 'postgres://h/d' }],
    ['BAILIWICK_VECTOR_INDEX', 'chroma', { BAILIWICK_CHROMA_URL: 'http://h' }],
    ['BAILIWICK_VECTOR_INDEX', 'qdrant', { BAILIWICK_QDRANT_URL: 'http://h' }],
    ['BAILIWICK_VECTOR_INDEX', 'milvus', { BAILIWICK_MILVUS_URL: 'http://h' }],
    ['BAILIWICK_RELATIONAL_STORE', 'postgres', { BAILIWICK_POSTGRES_URL: 'postgres://h/d' }],
    ['BAILIWICK_EVENT_BUS', 'rabbitmq', { BAILIWICK_RABBITMQ_URLS: 'amqp://h' }],
  ])('%s=%s names everything that it still needs, at once', (variable, value, rest) => {
    const missing = Object.keys(rest).map((name) => `${name} must be set with ${variable}=${value}.`);
    expect(faultsOf({ [variable]: value })).toEqual(missing);
    expect(faultsOf({ [variable]: value, ...(rest as unknown as Record<string, string>) })).toEqual([]);
  });

  it.each(['localhost:8000', 'chroma', 'http://', 'ftp://h'])('refuses %s as an address', (address) => {
    const environment = { BAILIWICK_VECTOR_INDEX: 'chroma', BAILIWICK_CHROMA_URL: address };
    expect(faultsOf(environment)).toEqual(['BAILIWICK_CHROMA_URL must be an address with http:// or https://.']);
  });

  it('reports unknown names and bad values together', () => {
    const faults = faultsOf({ BAILIWICK_NO_SUCH: '1', BAILIWICK_PORT: 'x', BAILIWICK_VECTOR_INDEX: 'faiss' });
    expect(faults).toHaveLength(3);
    expect(faults.join()).toMatch(/NO_SUCH.*PORT.*faiss/);
  });
});
