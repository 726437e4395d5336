/** Types of built-in functions as data, in the shape of OPA's capabilities document. */

/** One statically known member of an object type. */
export interface StaticMember {
  readonly key: string;
  readonly value: TypeDecl;
}

/** The type of a value or of a function. */
export type TypeDecl =
  | { readonly type: 'any'; readonly of?: readonly TypeDecl[] }
  | { readonly type: 'null' | 'boolean' | 'number' | 'string' }
  | { readonly type: 'array'; readonly static?: readonly TypeDecl[]; readonly dynamic?: TypeDecl }
  | {
      readonly type: 'object';
      readonly static?: readonly StaticMember[];
      readonly dynamic?: { readonly key: TypeDecl; readonly value: TypeDecl };
    }
  | { readonly type: 'set'; readonly of?: TypeDecl }
  | FunctionDecl;

/** The type of a function; without a result it only has effects. */
export interface FunctionDecl {
  readonly type: 'function';
  readonly args?: readonly TypeDecl[];
  readonly result?: TypeDecl;
  readonly variadic?: TypeDecl;
}

export const any: TypeDecl = { type: 'any' };
export const nothing: TypeDecl = { type: 'null' };
export const boolean: TypeDecl = { type: 'boolean' };
export const number: TypeDecl = { type: 'number' };
export const string: TypeDecl = { type: 'string' };

/** Any one of several types. */
export const anyOf = (...of: readonly TypeDecl[]): TypeDecl => ({ type: 'any', of });
/** An array of any length. */
export const array = (dynamic: TypeDecl = any): TypeDecl => ({ type: 'array', dynamic });
/** An array of known length. */
export const tuple = (...members: readonly TypeDecl[]): TypeDecl => ({ type: 'array', static: members });
export const set = (of: TypeDecl = any): TypeDecl => ({ type: 'set', of });
/** An object with keys and values of given types. */
export const object = (key: TypeDecl = any, value: TypeDecl = any): TypeDecl => ({
  type: 'object',
  dynamic: { key, value },
});
/** An object with known members, and others when `rest` says of which types. */
export const record = (
  members: Readonly<Record<string, TypeDecl>>,
  rest?: { readonly key: TypeDecl; readonly value: TypeDecl },
): TypeDecl => {
  const known = Object.keys(members).map((key) => ({ key, value: members[key] as TypeDecl }));
  return rest === undefined ? { type: 'object', static: known } : { type: 'object', static: known, dynamic: rest };
};
