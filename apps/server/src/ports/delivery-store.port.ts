/**
 * Deliveries to webhooks that are still to be made, and what became of the others. A delivery is taken for a while by one worker; when that dies,
 * another takes it again. Adapter: `adapters/relational`. Contract: `delivery-store.contract.ts`.
 */
export interface Delivery {
  /** Event and webhook: a delivery is enqueued once, however often the event comes. */
  readonly id: string;
  readonly webhookId: string;
  /** JSON text. */
  readonly event: string;
  readonly createdAtMs: number;
  readonly attempts: number;
  /** Epoch milliseconds before which it is not tried. */
  readonly nextAttemptMs: number;
  readonly state: 'waiting' | 'delivered' | 'failed';
  /** HTTP status of the last answer; null when there was none. */
  readonly status: number | null;
  readonly error: string | null;
}

export interface DeliveryOutcome {
  readonly state: Delivery['state'];
  readonly attempts: number;
  readonly nextAttemptMs: number;
  readonly status: number | null;
  readonly error: string | null;
}

/** Errors: every method rejects with `store.unavailable` when the database cannot serve. */
export interface DeliveryStore {
  /** Those that are there already stay as they are. */
  enqueue(deliveries: readonly Pick<Delivery, 'id' | 'webhookId' | 'event' | 'createdAtMs'>[]): Promise<void>;
  /** Takes up to `limit` that are due, oldest first; nobody else gets them before `untilMs`. */
  take(nowMs: number, untilMs: number, limit: number): Promise<readonly Delivery[]>;
  settle(id: string, outcome: DeliveryOutcome): Promise<void>;
  /** Newest first. */
  of(webhookId: string, limit: number): Promise<readonly Delivery[]>;
  waiting(): Promise<number>;
  /** Deletes what was settled before; returns how many. */
  prune(beforeMs: number): Promise<number>;
}
