/** Ids that grow with time (UUID version 7, RFC 9562): an index over them grows at its end, where random ones would touch a page each. */
import { randomUUID } from 'node:crypto';

let lastMs = 0;
let prefix = '';

/** Of one millisecond in no order. Cost: that of `randomUUID`. */
export function orderedId(): string {
  const now = Date.now();
  if (now !== lastMs) {
    lastMs = now;
    const hex = now.toString(16).padStart(12, '0');
    prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
  }
  return prefix + randomUUID().slice(15);
}
