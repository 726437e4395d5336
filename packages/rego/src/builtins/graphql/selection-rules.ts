/** Rules on what may be selected: fields, fragments, operations (GraphQL, sections 5.2, 5.3, 5.5). */

import { quote } from '../../values/index.js';
import {
  byName,
  type Definition,
  type Field,
  type FragmentDefinition,
  type FragmentSpread,
  isField,
  isInlineFragment,
  isSpread,
  type Position,
  type Selection,
  showType,
  typeName,
} from './ast.js';
import { isComposite, possibleTypesOf, type Schema } from './schema.js';
import { quotedOrList, similarNames, suggest } from './suggestions.js';
import type { Rule } from './walk.js';

const isAbstract = ({ Kind }: Definition): boolean => Kind === 'INTERFACE' || Kind === 'UNION';
const isLeaf = ({ Kind }: Definition): boolean => Kind === 'SCALAR' || Kind === 'ENUM';

/** Types that have a field an abstract type lacks: interfaces by how many types use them, then objects. */
function typesWithField(schema: Schema, parent: Definition, name: string): readonly string[] {
  if (!isAbstract(parent)) return [];
  const objects: string[] = [];
  const interfaces = new Map<string, number>();
  for (const type of possibleTypesOf(schema, parent)) {
    if (byName(type.Fields, name) === undefined) continue;
    objects.push(type.Name);
    for (const candidate of type.Interfaces ?? []) {
      if (byName(schema.types.get(candidate)?.Fields, name) === undefined) continue;
      interfaces.set(candidate, (interfaces.get(candidate) ?? 0) + 1);
    }
  }
  const sorted = [...interfaces].sort((a, b) => b[1] - a[1]).map(([candidate]) => candidate);
  return [...sorted, ...objects];
}

const fieldsOnCorrectType: Rule = {
  field(field, context) {
    const { Name, parent, definition, position } = field;
    if (parent === undefined || definition !== undefined) return;
    const types = typesWithField(context.schema, parent, Name);
    const names = (parent.Fields ?? []).map((known) => known.Name);
    const similar = parent.Kind === 'OBJECT' || parent.Kind === 'INTERFACE' ? similarNames(Name, names) : [];
    let message = `Cannot query field "${Name}" on type "${parent.Name}".`;
    if (types.length > 0) message += ` Did you mean to use an inline fragment on ${quotedOrList(types)}?`;
    else if (similar.length > 0) message += ` Did you mean ${quotedOrList(similar)}?`;
    context.report(message, position);
  },
};

const fragmentsOnCompositeTypes: Rule = {
  inlineFragment({ TypeCondition, position }, context) {
    const type = context.schema.types.get(TypeCondition);
    if (type === undefined || isComposite(type.Kind)) return;
    context.report(`Fragment cannot condition on non composite type "${TypeCondition}".`, position);
  },
  fragment({ Name, TypeCondition, definition, position }, context) {
    if (definition === undefined || isComposite(definition.Kind)) return;
    context.report(`Fragment "${Name}" cannot condition on non composite type "${TypeCondition}".`, position);
  },
};

const knownFragmentNames: Rule = {
  spread({ Name, definition, position }, context) {
    if (definition === undefined) context.report(`Unknown fragment "${Name}".`, position);
  },
};

const knownRootType: Rule = {
  operation({ Operation, position }, context) {
    const kind = (Operation ?? '') === '' ? 'query' : Operation;
    if (context.schema[kind as 'query' | 'mutation' | 'subscription'] !== undefined) return;
    context.report(`Schema does not support operation type "${Operation}"`, position);
  },
};

const knownTypeNames: Rule = {
  variable({ Type, position }, context) {
    const name = typeName(Type);
    if (!context.schema.types.has(name)) context.report(`Unknown type "${name}".`, position);
  },
  inlineFragment({ TypeCondition, position }, context) {
    if (TypeCondition === '' || context.schema.types.has(TypeCondition)) return;
    context.report(`Unknown type "${TypeCondition}".`, position);
  },
  fragment({ TypeCondition, position }, context) {
    if (context.schema.types.has(TypeCondition)) return;
    const hint = suggest('Did you mean', TypeCondition, [...context.schema.types.keys()]);
    context.report(`Unknown type "${TypeCondition}".${hint}`, position);
  },
};

const loneAnonymousOperation: Rule = {
  operation({ Name, position }, context) {
    if (Name !== '' || (context.document.Operations ?? []).length < 2) return;
    context.report('This anonymous operation must be the only defined operation.', position);
  },
};

const LISTS_IN_TYPES = ['fields', 'interfaces', 'possibleTypes', 'inputFields'];
const MAX_LISTS = 3;

function isTooDeep(selections: readonly Selection[] | undefined, depth: number, within: ReadonlySet<string>): boolean {
  return (selections ?? []).some((selection) => {
    if (isField(selection)) return isFieldTooDeep(selection, depth, within);
    if (isInlineFragment(selection)) return isTooDeep(selection.SelectionSet, depth, within);
    const spread = selection as FragmentSpread;
    if (spread.definition === undefined || within.has(spread.Name)) return false;
    return isTooDeep(spread.definition.SelectionSet, depth, new Set(within).add(spread.Name));
  });
}

function isFieldTooDeep(field: Field, depth: number, within: ReadonlySet<string>): boolean {
  const inner = LISTS_IN_TYPES.includes(field.Name) ? depth + 1 : depth;
  return inner >= MAX_LISTS || isTooDeep(field.SelectionSet, inner, within);
}

const maxIntrospectionDepth: Rule = {
  field(field, context) {
    if (field.Name !== '__schema' && field.Name !== '__type') return;
    if (isFieldTooDeep(field, 0, new Set())) context.report('Maximum introspection depth exceeded', field.position);
  },
};

function spreadsIn(selections: readonly Selection[] | undefined): readonly FragmentSpread[] {
  const spreads: FragmentSpread[] = [];
  const sets: (readonly Selection[])[] = [selections ?? []];
  for (let set = sets.pop(); set !== undefined; set = sets.pop()) {
    for (const selection of set) {
      if (isSpread(selection)) spreads.push(selection);
      else sets.push(selection.SelectionSet ?? []);
    }
  }
  return spreads;
}

function noFragmentCycles(): Rule {
  const visited = new Set<string>();
  return {
    fragment(root, context) {
      const path: FragmentSpread[] = [];
      const indices = new Map<string, number>();
      const visit = (fragment: FragmentDefinition): void => {
        if (visited.has(fragment.Name)) return;
        visited.add(fragment.Name);
        indices.set(fragment.Name, path.length);
        for (const spread of spreadsIn(fragment.SelectionSet)) {
          const index = indices.get(spread.Name);
          path.push(spread);
          if (index === undefined) {
            const next = byName(context.document.Fragments, spread.Name);
            if (next !== undefined) visit(next);
          } else {
            const names = path.slice(index, -1).map(({ Name }) => `"${Name}"`);
            const via = names.length === 0 ? '' : ` via ${names.join(', ')}`;
            context.report(`Cannot spread fragment "${spread.Name}" within itself${via}.`, spread.position);
          }
          path.pop();
        }
        indices.delete(fragment.Name);
      };
      visit(root);
    },
  };
}

function noUnusedFragments(): Rule {
  const used = new Set<string>();
  let isInFragments = false;
  return {
    spread({ Name }) {
      if (!isInFragments) used.add(Name);
    },
    fragment({ Name, position }, context) {
      isInFragments = true;
      if (!used.has(Name)) context.report(`Fragment "${Name}" is never used.`, position);
    },
  };
}

/** Whether an object could be of both types; true also where other rules object. */
function canOverlap(schema: Schema, parent: Definition | undefined, name: string): boolean {
  if (parent === undefined || !isComposite(parent.Kind)) return true;
  const type = schema.types.get(name);
  if (type === undefined || !isComposite(type.Kind)) return true;
  const parents = parent.Kind === 'OBJECT' ? [parent] : possibleTypesOf(schema, parent);
  return possibleTypesOf(schema, type).some((possible) => parents.some(({ Name }) => Name === possible.Name));
}

const possibleFragmentSpreads: Rule = {
  inlineFragment({ parent, TypeCondition, position }, context) {
    if (canOverlap(context.schema, parent, TypeCondition)) return;
    const reason = `objects of type "${parent?.Name}" can never be of type "${TypeCondition}"`;
    context.report(`Fragment cannot be spread here as ${reason}.`, position);
  },
  spread({ Name, parent, definition, position }, context) {
    if (definition === undefined || canOverlap(context.schema, parent, definition.TypeCondition)) return;
    const reason = `objects of type "${parent?.Name}" can never be of type "${definition.TypeCondition}"`;
    context.report(`Fragment "${Name}" cannot be spread here as ${reason}.`, position);
  },
};

const scalarLeafs: Rule = {
  field({ Name, definition, SelectionSet = [], position }, context) {
    const type = definition === undefined ? undefined : context.schema.types.get(typeName(definition.Type));
    if (type === undefined || definition === undefined) return;
    if (isLeaf(type) && SelectionSet.length > 0) {
      const reason = `since type "${type.Name}" has no subfields`;
      context.report(`Field "${Name}" must not have a selection ${reason}.`, position);
    }
    if (!isLeaf(type) && SelectionSet.length === 0) {
      const message = `Field "${Name}" of type "${showType(definition.Type)}" must have a selection of subfields.`;
      context.report(`${message} Did you mean "${Name} { ... }"?`, position);
    }
  },
};

function topFields(selections: readonly Selection[] | undefined): ReadonlyMap<string, Position | undefined> {
  const fields = new Map<string, Position | undefined>();
  const seen = new Set<string>();
  const visit = (set: readonly Selection[] | undefined): void => {
    for (const selection of set ?? []) {
      if (isField(selection)) {
        if (!fields.has(selection.Name)) fields.set(selection.Name, selection.position);
      } else if (isInlineFragment(selection)) visit(selection.SelectionSet);
      else {
        const { definition } = selection as FragmentSpread;
        if (definition === undefined) return;
        if (seen.has(definition.Name)) continue;
        seen.add(definition.Name);
        visit(definition.SelectionSet);
      }
    }
  };
  visit(selections);
  return fields;
}

const singleFieldSubscriptions: Rule = {
  operation({ Operation, Name, SelectionSet }, context) {
    if (context.schema.subscription === undefined || Operation !== 'subscription') return;
    const fields = [...topFields(SelectionSet)];
    const name = Name === '' ? 'Anonymous Subscription' : `Subscription ${quote(Name)}`;
    if (fields.length > 1) context.report(`${name} must select only one top level field.`, fields[1]?.[1]);
    for (const [field, position] of fields) {
      if (field.startsWith('__')) context.report(`${name} must not select an introspection top level field.`, position);
    }
  },
};

function uniqueFragmentNames(): Rule {
  const seen = new Set<string>();
  return {
    fragment({ Name, position }, context) {
      if (seen.has(Name)) context.report(`There can be only one fragment named "${Name}".`, position);
      seen.add(Name);
    },
  };
}

function uniqueOperationNames(): Rule {
  const seen = new Set<string>();
  return {
    operation({ Name, position }, context) {
      if (seen.has(Name)) context.report(`There can be only one operation named "${Name}".`, position);
      seen.add(Name);
    },
  };
}

/** By name, which is the order they are run in. */
export const selectionRules: Readonly<Record<string, () => Rule>> = {
  FieldsOnCorrectType: () => fieldsOnCorrectType,
  FragmentsOnCompositeTypes: () => fragmentsOnCompositeTypes,
  KnownFragmentNames: () => knownFragmentNames,
  KnownRootType: () => knownRootType,
  KnownTypeNames: () => knownTypeNames,
  LoneAnonymousOperation: () => loneAnonymousOperation,
  MaxIntrospectionDepth: () => maxIntrospectionDepth,
  NoFragmentCycles: noFragmentCycles,
  NoUnusedFragments: noUnusedFragments,
  PossibleFragmentSpreads: () => possibleFragmentSpreads,
  ScalarLeafs: () => scalarLeafs,
  SingleFieldSubscriptions: () => singleFieldSubscriptions,
  UniqueFragmentNames: uniqueFragmentNames,
  UniqueOperationNames: uniqueOperationNames,
};
