import { describeAnswerStore } from '../../ports/answer-store.contract.js';
import { AnswerCache } from './answer-cache.js';

describeAnswerStore('this process', async () => ({
  store: new AnswerCache(1_000_000),
  dispose: async () => undefined,
}));
