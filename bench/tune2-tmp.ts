import { join } from 'node:path';
import { readDataset } from '../apps/cli/src/rag/dataset.js';
import { openOnnxEmbedder } from '../apps/server/src/adapters/onnx/onnx-embedder.js';
import { embedAll, takeIn } from './rag/corpus.js';
import { indexOf, judge, ours } from './rag/quality.js';
const e = await openOnnxEmbedder('/tmp/minilm/m', 1);
for (const name of process.argv.slice(2)) {
  const d = readDataset(join('/work/shared/datasets', name));
  const qs = name === 'cisi' ? d.queries.filter((_,i)=>i%2===0) : d.queries;
  const ps = await takeIn(d.corpus, e); const vs = await embedAll(e, qs.map(q=>q.text));
  const ix = indexOf(ps); const out=[];
  for (const k of ['text','vector','fused'] as const) out.push(k, (await judge(d, qs, vs, ours(ix,k))).ndcg10.toFixed(4));
  console.log(process.env['K1'],process.env['B'],name,...out);
}
await e.close();
