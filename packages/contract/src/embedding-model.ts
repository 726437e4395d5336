/** The embedding model that runs here, by its files: server and command line must mean the same to the last bit. */
export const localEmbeddingModel = {
  /** sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), weights of 8 bits; the vocabulary is BERT's uncased one. */
  name: 'all-MiniLM-L6-v2-int8',
  dimensions: 384,
  /** SHA-256, hex: another file under a name would give other vectors under the same model. */
  files: {
    'model.onnx': '8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6',
    'vocab.txt': '07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3',
  },
  /** Below the home folder. */
  cacheFolder: ['.cache', 'bailiwick', 'models', 'all-MiniLM-L6-v2-int8'],
} as const;
