import { startMilvusStandIn } from '../../../../../test/servers/milvus-stand-in.js';
import { describeWithStandIn } from '../vector-stand-in.contract.js';
import { MilvusIndex } from './milvus-index.js';

describeWithStandIn({
  name: 'Milvus',
  start: startMilvusStandIn,
  open: ({ key, ...options }) => new MilvusIndex({ ...options, ...(key === undefined ? {} : { token: key }) }),
  keyHeader: ['authorization', (key) => `Bearer ${key}`],
});
