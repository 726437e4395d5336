/**
 * Fields that answer under one name must be able to merge (GraphQL, section 5.3.2). Fields are
 * collected through fragments and compared pair by pair; a pair of selections is compared once.
 */
import {
  type Definition,
  type Field,
  type FragmentSpread,
  isField,
  isInlineFragment,
  type Selection,
  showType,
  type TypeReference,
  typeName,
} from './ast.js';
import type { Schema } from './schema.js';
import { showValue } from './value-rules.js';
import type { Rule, RuleContext } from './walk.js';

const MAX_PAIRS = 100_000;

interface Conflict {
  readonly name: string;
  readonly reason: string;
}

type FieldsByName = Map<string, Field[]>;

const isLeafKind = (kind: string | undefined): boolean => kind === 'SCALAR' || kind === 'ENUM';

function sameArguments(a: Field, b: Field): boolean {
  const [x, y] = [a.Arguments ?? [], b.Arguments ?? []];
  if (x.length !== y.length) return false;
  return x.every((arg) => {
    const other = y.find(({ Name }) => Name === arg.Name);
    return (
      other !== undefined && arg.Value.Kind === other.Value.Kind && showValue(arg.Value) === showValue(other.Value)
    );
  });
}

class OverlapChecker {
  private readonly schema: Schema;
  private readonly compared = new Set<string>();
  private readonly numbers = new Map<object, number>();
  private pairs = 0;

  constructor(schema: Schema) {
    this.schema = schema;
  }

  conflictsWithin(selections: readonly Selection[] | undefined): readonly Conflict[] {
    const conflicts: Conflict[] = [];
    for (const [name, fields] of this.collect(selections, new Map(), new Set())) {
      for (let i = 0; i < fields.length; i++) {
        for (let j = i + 1; j < fields.length; j++) {
          const conflict = this.conflictOf(name, { a: fields[i] as Field, b: fields[j] as Field, areExclusive: false });
          if (conflict !== undefined) conflicts.push(conflict);
        }
      }
    }
    return conflicts;
  }

  private collect(selections: readonly Selection[] | undefined, fields: FieldsByName, seen: Set<string>): FieldsByName {
    for (const selection of selections ?? []) {
      if (isField(selection)) {
        const known = fields.get(selection.Alias);
        if (known === undefined) fields.set(selection.Alias, [selection]);
        else known.push(selection);
      } else if (isInlineFragment(selection)) this.collect(selection.SelectionSet, fields, seen);
      else {
        const { definition } = selection as FragmentSpread;
        if (definition === undefined || seen.has(definition.Name)) continue;
        seen.add(definition.Name);
        this.collect(definition.SelectionSet, fields, seen);
      }
    }
    return fields;
  }

  private numberOf(node: object): number {
    const known = this.numbers.get(node);
    if (known !== undefined) return known;
    this.numbers.set(node, this.numbers.size);
    return this.numbers.size - 1;
  }

  private conflictOf(
    name: string,
    { a, b, areExclusive }: { a: Field; b: Field; areExclusive: boolean },
  ): Conflict | undefined {
    if (a === b) return undefined;
    const key = `${this.numberOf(a)}/${this.numberOf(b)}/${areExclusive}`;
    if (this.compared.has(key)) return undefined;
    this.compared.add(key);
    this.pairs++;
    if (this.pairs > MAX_PAIRS) throw new RangeError('the document has too many fields to compare');
    const exclusive = areExclusive || this.areExclusive(a.parent, b.parent);
    if (!exclusive) {
      if (a.Name !== b.Name) return { name, reason: `"${a.Name}" and "${b.Name}" are different fields` };
      if (!sameArguments(a, b)) return { name, reason: 'they have differing arguments' };
    }
    const [typeA, typeB] = [a.definition?.Type, b.definition?.Type];
    if (typeA !== undefined && typeB !== undefined && this.doTypesConflict(typeA, typeB)) {
      return { name, reason: `they return conflicting types "${showType(typeA)}" and "${showType(typeB)}"` };
    }
    return this.conflictBelow(name, { a, b, areExclusive: exclusive });
  }

  private areExclusive(a: Definition | undefined, b: Definition | undefined): boolean {
    return a !== undefined && b !== undefined && a !== b && a.Kind === 'OBJECT' && b.Kind === 'OBJECT';
  }

  private doTypesConflict(a: TypeReference, b: TypeReference): boolean {
    if (a.Elem !== undefined || b.Elem !== undefined) {
      if (a.Elem === undefined || b.Elem === undefined) return true;
      return a.NonNull !== b.NonNull || this.doTypesConflict(a.Elem, b.Elem);
    }
    if (a.NonNull !== b.NonNull) return true;
    const [x, y] = [this.schema.types.get(typeName(a)), this.schema.types.get(typeName(b))];
    return (isLeafKind(x?.Kind) || isLeafKind(y?.Kind)) && a.NamedType !== b.NamedType;
  }

  private conflictBelow(
    name: string,
    { a, b, areExclusive }: { a: Field; b: Field; areExclusive: boolean },
  ): Conflict | undefined {
    const others = this.collect(b.SelectionSet, new Map(), new Set());
    const reasons: string[] = [];
    for (const [inner, fields] of this.collect(a.SelectionSet, new Map(), new Set())) {
      for (const x of fields) {
        for (const y of others.get(inner) ?? []) {
          const conflict = this.conflictOf(inner, { a: x, b: y, areExclusive });
          if (conflict !== undefined) reasons.push(`subfields "${conflict.name}" conflict because ${conflict.reason}`);
        }
      }
    }
    return reasons.length === 0 ? undefined : { name, reason: reasons.join(' and ') };
  }
}

/** A rule that reports each conflict once. */
export function overlappingFieldsCanBeMerged(): Rule {
  let checker: OverlapChecker | undefined;
  const check = (
    selections: readonly Selection[] | undefined,
    position: Field['position'],
    context: RuleContext,
  ): void => {
    checker ??= new OverlapChecker(context.schema);
    for (const { name, reason } of checker.conflictsWithin(selections)) {
      const advice = 'Use different aliases on the fields to fetch both if this was intentional.';
      const first = selections?.find((selection) => isField(selection) && selection.Alias === name);
      context.report(`Fields "${name}" conflict because ${reason}. ${advice}`, first?.position ?? position);
    }
  };
  return {
    operation: ({ SelectionSet, position }, context) => check(SelectionSet, position, context),
    field: ({ SelectionSet, position }, context) => check(SelectionSet, position, context),
    inlineFragment: ({ SelectionSet, position }, context) => check(SelectionSet, position, context),
    fragment: ({ SelectionSet, position }, context) => check(SelectionSet, position, context),
  };
}
