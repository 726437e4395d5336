/**
 * The thread that runs the embedding model: WordPiece tokens in, mean of the last layer over the real tokens out, of length one.
 * Plain JavaScript, so that it runs from the sources, under the test runner and copied beside a bundle alike. The runtime computes on
 * the calling thread, which is why it has one of its own. Messages are typed in `onnx-protocol.ts`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { Tokenizer } from '@huggingface/tokenizers';
import ort from 'onnxruntime-node';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
/** @type {import('./onnx-protocol.js').OnnxSettings} */
const settings = workerData;
/** Rows × tokens of one run: larger ones are no faster and keep a short question waiting. */
const maxBatchTokens = 2048;

const session = await ort.InferenceSession.create(join(settings.folder, 'model.onnx'), {
  intraOpNumThreads: settings.threads,
  interOpNumThreads: 1,
});
const tokenizer = new Tokenizer(bertTokenizer(join(settings.folder, 'vocab.txt')), {});

/** BERT's uncased tokeniser as a tokenizer.json would say it. @param {string} file */
function bertTokenizer(file) {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const vocab = Object.fromEntries(lines.map((token, id) => [token, id]));
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].map((content) => ({
    ...{ id: vocab[content], content, special: true, normalized: false },
    ...{ single_word: false, lstrip: false, rstrip: false },
  }));
  const frame = (/** @type {string} */ token) => ({ id: token, ids: [vocab[token]], tokens: [token] });
  return {
    added_tokens: special,
    normalizer: {
      ...{ type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [],
      special_tokens: { '[CLS]': frame('[CLS]'), '[SEP]': frame('[SEP]') },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      ...{ type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100 },
      vocab,
    },
  };
}

/** Ids with the frame, cut to what the model has positions for. @param {string} text */
function tokensOf(text) {
  const ids = tokenizer.encode(text.slice(0, settings.maxTokens * 40)).ids;
  return ids.length <= settings.maxTokens ? ids : [...ids.slice(0, settings.maxTokens - 1), ids[ids.length - 1]];
}

/**
 * One run over rows of like length.
 * @param {number[][]} rows
 * @returns {Promise<Float32Array[]>}
 */
async function run(rows) {
  const width = Math.max(...rows.map((row) => row.length));
  const size = rows.length * width;
  const ids = new BigInt64Array(size);
  const mask = new BigInt64Array(size);
  rows.forEach((row, at) => {
    row.forEach((id, place) => {
      ids[at * width + place] = BigInt(id);
      mask[at * width + place] = 1n;
    });
  });
  const shape = [rows.length, width];
  const output = await session.run({
    input_ids: new ort.Tensor('int64', ids, shape),
    attention_mask: new ort.Tensor('int64', mask, shape),
    token_type_ids: new ort.Tensor('int64', new BigInt64Array(size), shape),
  });
  const hidden = /** @type {Float32Array} */ (output['last_hidden_state']?.data);
  return rows.map((row, at) => meanOf(hidden, at * width, row.length));
}

/** Mean pooling, then length one. @param {Float32Array} hidden @param {number} first @param {number} count */
function meanOf(hidden, first, count) {
  const mean = new Float32Array(settings.dimensions);
  for (let token = first; token < first + count; token += 1)
    for (let at = 0; at < mean.length; at += 1) mean[at] += hidden[token * mean.length + at];
  const norm = Math.hypot(...mean) || 1;
  return mean.map((value) => value / norm);
}

/** @param {readonly string[]} texts */
async function embed(texts) {
  const rows = texts.map((text, at) => ({ at, ids: tokensOf(text) })).sort((a, b) => a.ids.length - b.ids.length);
  /** @type {Float32Array[]} */
  const vectors = new Array(texts.length);
  for (let from = 0; from < rows.length; ) {
    let to = from + 1;
    while (to < rows.length && (to - from + 1) * rows[to].ids.length <= maxBatchTokens) to += 1;
    const batch = rows.slice(from, to);
    const done = await run(batch.map((row) => row.ids));
    batch.forEach((row, place) => {
      vectors[row.at] = done[place];
    });
    from = to;
  }
  return vectors;
}

// One after the other, in the order asked.
let last = Promise.resolve();
port.on('message', (/** @type {import('./onnx-protocol.js').OnnxRequest} */ { id, texts }) => {
  last = last.then(async () => {
    try {
      const vectors = await embed(texts);
      port.postMessage({ id, vectors }, [...new Set(vectors.map((vector) => vector.buffer))]);
    } catch (error) {
      port.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
    }
  });
});
port.postMessage({ ready: true });
