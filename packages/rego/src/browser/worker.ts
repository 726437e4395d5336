/** The worker: one request after the other, one answer for each. */
import type { Answer, Request } from './messages.js';
import { PolicyDesk, toFailure } from './policy-desk.js';

/** What a dedicated worker's global scope lends; declared here because the engine's types know no browser. */
declare const self: {
  onmessage: ((event: { readonly data: { readonly id: number; readonly request: Request } }) => void) | null;
  postMessage(message: Answer): void;
};

const desk = new PolicyDesk();

self.onmessage = ({ data: { id, request } }) => {
  desk.answer(request).then(
    (value) => self.postMessage({ id, ok: true, value }),
    (error: unknown) => self.postMessage({ id, ok: false, failure: toFailure(error) }),
  );
};
