/** What `openfeature-page.ts` is told, and what it says. */
import type { EvaluationContext, EvaluationDetails } from '@openfeature/web-sdk';

export type PageCommand =
  | {
      readonly kind: 'start';
      readonly domain: string;
      readonly url: string;
      readonly apiKey: string;
      readonly context: EvaluationContext;
    }
  | { readonly kind: 'context'; readonly domain: string; readonly context: EvaluationContext }
  | { readonly kind: 'evaluate'; readonly domain: string };

export interface PageAnswer {
  readonly dark: EvaluationDetails<boolean>;
  readonly size: EvaluationDetails<number>;
  readonly absent: EvaluationDetails<string>;
  readonly providerStatus: string;
  /** Where the client's answers come from. */
  readonly source: string;
  /** Keys that change events named. */
  readonly changed: readonly string[];
  /** What is in `localStorage`. */
  readonly kept: string;
}
