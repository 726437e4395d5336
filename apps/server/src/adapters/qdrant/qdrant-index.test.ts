import { startQdrantStandIn } from '../../../../../test/servers/qdrant-stand-in.js';
import { describeWithStandIn } from '../vector-stand-in.contract.js';
import { QdrantIndex } from './qdrant-index.js';

describeWithStandIn({
  name: 'Qdrant',
  start: startQdrantStandIn,
  open: ({ key, ...options }) => new QdrantIndex({ ...options, ...(key === undefined ? {} : { apiKey: key }) }),
  keyHeader: ['api-key', (key) => key],
});
