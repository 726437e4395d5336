import { describeEventBus } from '../../ports/event-bus.contract.js';
import { MemoryEventBus } from './memory-event-bus.js';

describeEventBus('in memory', async () => {
  const bus = new MemoryEventBus();
  return { bus, another: async () => bus, dispose: () => bus.close() };
});
