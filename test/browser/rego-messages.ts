/** What the page of `rego-page.ts` reports to the test's server. */
export interface PageReport {
  /** Why the page could not finish. */
  readonly fault?: string;
  readonly conformance: readonly {
    readonly backend: 'generated' | 'closures';
    readonly passed: number;
    readonly failures: readonly string[];
    readonly milliseconds: number;
  }[];
  /** What the client answered, by question. */
  readonly client: Readonly<Record<string, unknown>>;
}

/** How the page is to run, in its address: `?backends=generated,closures`. */
export const BACKENDS_PARAMETER = 'backends';
