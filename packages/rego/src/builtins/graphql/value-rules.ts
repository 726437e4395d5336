/** Rules on arguments, values, variables and directives (GraphQL, sections 5.4 and 5.6 to 5.8). */
import { quote } from '../../values/index.js';
import {
  type Argument,
  type ArgumentDefinition,
  byName,
  type Directive,
  type Position,
  showType,
  ValueKind,
  type ValueNode,
} from './ast.js';
import { isCompatible } from './interfaces.js';
import { isInputType } from './schema.js';
import { orList, similarNames, suggest } from './suggestions.js';
import type { Rule, RuleContext } from './walk.js';

export function showValue(value: ValueNode): string {
  switch (value.Kind) {
    case ValueKind.Variable:
      return `$${value.Raw}`;
    case ValueKind.String:
    case ValueKind.Block:
      return quote(value.Raw);
    case ValueKind.List:
      return `[${(value.Children ?? []).map((child) => showValue(child.Value)).join(',')}]`;
    case ValueKind.Object:
      return `{${(value.Children ?? []).map((child) => `${child.Name}:${showValue(child.Value)}`).join(',')}}`;
    default:
      return value.Raw;
  }
}

const names = (list: readonly { Name: string }[] | undefined): readonly string[] =>
  (list ?? []).map(({ Name }) => Name);

const knownArgumentNames: Rule = {
  field({ Name, Arguments, definition, parent, position }, context) {
    if (definition === undefined || parent === undefined) return;
    for (const arg of Arguments ?? []) {
      if (byName(definition.Arguments, arg.Name) !== undefined) continue;
      const hint = suggest('Did you mean', arg.Name, names(definition.Arguments));
      context.report(`Unknown argument "${arg.Name}" on field "${parent.Name}.${Name}".${hint}`, position);
    }
  },
  directive({ Name, Arguments, definition, position }, context) {
    if (definition === undefined) return;
    for (const arg of Arguments ?? []) {
      if (byName(definition.Arguments, arg.Name) !== undefined) continue;
      const hint = suggest('Did you mean', arg.Name, names(definition.Arguments));
      context.report(`Unknown argument "${arg.Name}" on directive "@${Name}".${hint}`, position);
    }
  },
};

function knownDirectives(): Rule {
  const seen = new Set<string>();
  return {
    directive({ Name, definition, location = '', position }, context) {
      if (definition === undefined) {
        context.report(`Unknown directive "@${Name}".`, position);
        return;
      }
      if (definition.Locations?.includes(location)) return;
      const key = `${Name}/${position?.line}/${position?.column}`;
      if (!seen.has(key)) context.report(`Directive "@${Name}" may not be used on ${location}.`, position);
      seen.add(key);
    },
  };
}

const noUndefinedVariables: Rule = {
  value(value, context) {
    const { operation } = context;
    if (operation === undefined || value.Kind !== ValueKind.Variable || value.variable !== undefined) return;
    const where = operation.Name === '' ? '' : ` by operation "${operation.Name}"`;
    context.report(`Variable "${showValue(value)}" is not defined${where}.`, value.position);
  },
};

const noUnusedVariables: Rule = {
  operation({ Name, VariableDefinitions }, context) {
    for (const variable of VariableDefinitions ?? []) {
      if (variable.isUsed || variable.Used) continue;
      const where = Name === '' ? '' : ` in operation "${Name}"`;
      context.report(`Variable "$${variable.Variable}" is never used${where}.`, variable.position);
    }
  },
};

function missingArguments(
  wanted: readonly ArgumentDefinition[] | undefined,
  given: readonly Argument[] | undefined,
): readonly ArgumentDefinition[] {
  return (wanted ?? []).filter(
    ({ Name, Type, DefaultValue }) => Type.NonNull && DefaultValue === undefined && byName(given, Name) === undefined,
  );
}

const providedRequiredArguments: Rule = {
  field({ Name, Arguments, definition, position }, context) {
    for (const arg of missingArguments(definition?.Arguments, Arguments)) {
      const reason = `of type "${showType(arg.Type)}" is required, but it was not provided.`;
      context.report(`Field "${Name}" argument "${arg.Name}" ${reason}`, position);
    }
  },
  directive({ Name, Arguments, definition, position }, context) {
    for (const arg of missingArguments(definition?.Arguments, Arguments)) {
      const reason = `of type "${showType(arg.Type)}" is required, but it was not provided.`;
      context.report(`Directive "@${Name}" argument "${arg.Name}" ${reason}`, position);
    }
  },
};

interface Named {
  readonly name: string;
  readonly position: Position | undefined;
}

/** Reports names that occur again; once for each name, or every time. */
function reportRepeated(
  items: readonly Named[],
  what: string,
  options: { context: RuleContext; isOnce: boolean },
): void {
  const counts = new Map<string, number>();
  for (const { name, position } of items) {
    const count = counts.get(name) ?? 0;
    if (options.isOnce ? count === 1 : count > 0) {
      options.context.report(`There can be only one ${what} named "${name}".`, position);
    }
    counts.set(name, count + 1);
  }
}

const toNamed = (items: readonly { Name: string; position?: Position }[] | undefined): readonly Named[] =>
  (items ?? []).map(({ Name, position }) => ({ name: Name, position }));

const uniqueArgumentNames: Rule = {
  field({ Arguments }, context) {
    reportRepeated(toNamed(Arguments), 'argument', { context, isOnce: true });
  },
  directive({ Arguments }, context) {
    reportRepeated(toNamed(Arguments), 'argument', { context, isOnce: true });
  },
};

const uniqueDirectivesPerLocation: Rule = {
  directives(directives, context) {
    const seen = new Set<string>();
    for (const { Name, definition, position } of directives as readonly Directive[]) {
      if (!definition?.IsRepeatable && seen.has(Name)) {
        context.report(`The directive "@${Name}" can only be used once at this location.`, position);
      }
      seen.add(Name);
    }
  },
};

const uniqueInputFieldNames: Rule = {
  value({ Kind, Children }, context) {
    if (Kind === ValueKind.Object) reportRepeated(toNamed(Children), 'input field', { context, isOnce: false });
  },
};

const uniqueVariableNames: Rule = {
  operation({ VariableDefinitions }, context) {
    const items = (VariableDefinitions ?? []).map(({ Variable, position }) => ({ name: `$${Variable}`, position }));
    reportRepeated(items, 'variable', { context, isOnce: true });
  },
};

const BUILT_IN = ['Int', 'Float', 'String', 'Boolean', 'ID'];

/** The scalars a literal may stand for. */
const ALLOWED: Readonly<Record<number, readonly string[]>> = {
  [ValueKind.Int]: ['Int', 'Float', 'ID'],
  [ValueKind.Float]: ['Float'],
  [ValueKind.String]: ['String', 'ID'],
  [ValueKind.Block]: ['String', 'ID'],
  [ValueKind.Boolean]: ['Boolean'],
};

function unexpectedType(value: ValueNode): string {
  const expected = value.expectedType === undefined ? '' : showType(value.expectedType);
  const shown = showValue(value);
  switch (expected) {
    case 'Int':
    case 'Int!':
      return isOutOfRange(value.Raw)
        ? `Int cannot represent non 32-bit signed integer value: ${shown}`
        : `Int cannot represent non-integer value: ${shown}`;
    case 'String':
    case 'String!':
    case '[String]':
      return `String cannot represent a non string value: ${shown}`;
    case 'Boolean':
    case 'Boolean!':
      return `Boolean cannot represent a non boolean value: ${shown}`;
    case 'Float':
    case 'Float!':
      return `Float cannot represent non numeric value: ${shown}`;
    case 'ID':
    case 'ID!':
      return `ID cannot represent a non-string and non-integer value: ${shown}`;
    default:
      return value.definition?.Kind === 'ENUM'
        ? `Enum "${expected}" cannot represent non-enum value: ${shown}.`
        : `Expected value of type "${expected}", found ${shown}.`;
  }
}

function isOutOfRange(raw: string): boolean {
  if (!/^[-+]?\d+$/.test(raw)) return false;
  const value = BigInt(raw);
  return value > 2147483647n || value < -2147483648n;
}

const isTooBig = ({ Kind, Raw }: ValueNode): boolean =>
  Kind === ValueKind.Int && /^-?\d+$/.test(Raw) && BigInt.asIntN(64, BigInt(Raw)) !== BigInt(Raw);

function checkEnum(value: ValueNode, context: RuleContext): void {
  const { definition, expectedType, position } = value;
  if (definition === undefined || expectedType === undefined) return;
  const known = definition.Kind === 'ENUM' ? names(definition.EnumValues) : [];
  if (definition.Kind !== 'ENUM') {
    const similar = similarNames(value.Raw, known);
    const hint = similar.length === 0 ? '' : ` Did you mean the enum value ${orList(similar)}?`;
    context.report(unexpectedType(value) + hint, position);
  } else if (!known.includes(value.Raw)) {
    const hint = suggest('Did you mean the enum value', value.Raw, known);
    context.report(`Value "${showValue(value)}" does not exist in "${showType(expectedType)}" enum.${hint}`, position);
  }
}

function checkObject(value: ValueNode, context: RuleContext): void {
  const { definition, Children = [], position } = value;
  if (definition === undefined) return;
  for (const field of definition.Fields ?? []) {
    if (!field.Type.NonNull || field.DefaultValue !== undefined || byName(Children, field.Name) !== undefined) continue;
    const what = `"${definition.Name}.${field.Name}" of required type "${showType(field.Type)}"`;
    context.report(`Field ${what} was not provided.`, position);
  }
  if (byName(definition.Directives, 'oneOf') !== undefined) {
    const only = Children[0]?.Value;
    if (Children.length !== 1) {
      context.report(`OneOf Input Object "${definition.Name}" must specify exactly one key.`, position);
    } else if (only === undefined || only.Kind === ValueKind.Null) {
      context.report(`Field "${definition.Name}.${definition.Fields?.[0]?.Name}" must be non-null.`, only?.position);
    }
  }
  for (const child of Children) {
    if (byName(definition.Fields, child.Name) !== undefined) continue;
    const hint = suggest('Did you mean', child.Name, names(definition.Fields));
    context.report(`Field "${child.Name}" is not defined by type "${definition.Name}".${hint}`, child.position);
  }
}

const valuesOfCorrectType: Rule = {
  value(value, context) {
    const { definition, expectedType, Kind, position } = value;
    if (definition === undefined || expectedType === undefined) return;
    if (Kind === ValueKind.Null && expectedType.NonNull) {
      context.report(`Expected value of type "${showType(expectedType)}", found ${showValue(value)}.`, position);
    }
    if (definition.Kind === 'SCALAR' && !BUILT_IN.includes(definition.Name)) return;
    if (isTooBig(value)) context.report(unexpectedType(value), position);
    if (Kind === ValueKind.Null || Kind === ValueKind.Variable) return;
    if (Kind === ValueKind.List) {
      if (expectedType.Elem === undefined) context.report(unexpectedType(value), position);
    } else if (Kind === ValueKind.Enum) checkEnum(value, context);
    else if (Kind === ValueKind.Object) checkObject(value, context);
    else if (definition.Kind === 'ENUM' && (Kind === ValueKind.String || Kind === ValueKind.Block)) {
      const hint = suggest('Did you mean the enum value', value.Raw, names(definition.EnumValues));
      context.report(
        `Enum "${showType(expectedType)}" cannot represent non-enum value: ${showValue(value)}.${hint}`,
        position,
      );
    } else if (!ALLOWED[Kind]?.includes(definition.Name)) context.report(unexpectedType(value), position);
  },
};

const variablesAreInputTypes: Rule = {
  operation({ VariableDefinitions }, context) {
    for (const { Variable, Type, definition, position } of VariableDefinitions ?? []) {
      if (definition === undefined || isInputType(definition.Kind)) continue;
      context.report(`Variable "$${Variable}" cannot be non-input type "${showType(Type)}".`, position);
    }
  },
};

const variablesInAllowedPosition: Rule = {
  value(value, context) {
    const { variable, expectedType } = value;
    if (value.Kind !== ValueKind.Variable || expectedType === undefined || variable === undefined) return;
    if (context.operation === undefined) return;
    const hasDefault = variable.DefaultValue !== undefined && variable.DefaultValue.Kind !== ValueKind.Null;
    const isNullable = hasDefault || value.expectedTypeHasDefault === true;
    const wanted = isNullable ? { ...expectedType, NonNull: false } : expectedType;
    if (isCompatible(variable.Type, wanted)) return;
    const what = `of type "${showType(variable.Type)}" used in position expecting type "${showType(expectedType)}"`;
    context.report(`Variable "${showValue(value)}" ${what}.`, value.position);
  },
};

const oneOfVariables: Rule = {
  value({ Kind, definition, Children }, context) {
    if (Kind !== ValueKind.Object || byName(definition?.Directives, 'oneOf') === undefined) return;
    for (const { Value } of Children ?? []) {
      const { variable } = Value;
      if (Value.Kind !== ValueKind.Variable || variable === undefined || variable.Type.NonNull) continue;
      const must = `must be non-nullable to be used for OneOf Input Object "${definition?.Name}".`;
      context.report(
        `Variable "${showValue(Value)}" is of type "${showType(variable.Type)}" but ${must}`,
        variable.position,
      );
    }
  },
};

/** By name, which is the order they are run in. */
export const valueRules: Readonly<Record<string, () => Rule>> = {
  KnownArgumentNames: () => knownArgumentNames,
  KnownDirectives: knownDirectives,
  NoUndefinedVariables: () => noUndefinedVariables,
  NoUnusedVariables: () => noUnusedVariables,
  ProvidedRequiredArguments: () => providedRequiredArguments,
  UniqueArgumentNames: () => uniqueArgumentNames,
  UniqueDirectivesPerLocation: () => uniqueDirectivesPerLocation,
  UniqueInputFieldNames: () => uniqueInputFieldNames,
  UniqueVariableNames: () => uniqueVariableNames,
  ValuesOfCorrectType: () => valuesOfCorrectType,
  VariablesAreInputTypes: () => variablesAreInputTypes,
  VariablesInAllowedPosition: () => variablesInAllowedPosition,
  VariablesInAllowedPositionOneOf: () => oneOfVariables,
};
