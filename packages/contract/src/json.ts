/** Any JSON value. Objects may have any own key, `__proto__` included: read them with own-property checks. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
