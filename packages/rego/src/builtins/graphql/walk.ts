/**
 * Walks an executable document with a schema in hand: notes on each node what it refers to, and
 * tells rules of it once its parts have been visited. A fragment is walked where it is first
 * spread in an operation, and once more for itself, as gqlparser does.
 */
import {
  type Argument,
  type ArgumentDefinition,
  byName,
  type Definition,
  type Directive,
  type Field,
  type FieldDefinition,
  type FragmentDefinition,
  type FragmentSpread,
  type InlineFragment,
  isField,
  isInlineFragment,
  namedType,
  type OperationDefinition,
  type Position,
  type QueryDocument,
  type Selection,
  typeName,
  ValueKind,
  type ValueNode,
  type VariableDefinition,
} from './ast.js';
import type { Schema } from './schema.js';

/** What a rule may look at and do. */
export interface RuleContext {
  readonly schema: Schema;
  readonly document: QueryDocument;
  /** The operation being walked; undefined in a fragment walked for itself. */
  readonly operation: OperationDefinition | undefined;
  report(message: string, position: Position | undefined): void;
}

/** What a rule wants to be told of. */
export interface Rule {
  operation?(node: OperationDefinition, context: RuleContext): void;
  field?(node: Field, context: RuleContext): void;
  fragment?(node: FragmentDefinition, context: RuleContext): void;
  inlineFragment?(node: InlineFragment, context: RuleContext): void;
  spread?(node: FragmentSpread, context: RuleContext): void;
  directive?(node: Directive, context: RuleContext): void;
  directives?(nodes: readonly Directive[], context: RuleContext): void;
  value?(node: ValueNode, context: RuleContext): void;
  variable?(node: VariableDefinition, context: RuleContext): void;
}

export interface Violation {
  readonly message: string;
  readonly position: Position | undefined;
}

const TYPENAME: FieldDefinition = { Description: '', Name: '__typename', Type: namedType('String') };
const MAX_VISITS = 200_000;

export class Walker implements RuleContext {
  readonly schema: Schema;
  readonly document: QueryDocument;
  readonly violations: Violation[] = [];
  operation: OperationDefinition | undefined;
  private readonly rules: readonly Rule[];
  private readonly charge: (steps: number) => void;
  private spreadNames = new Set<string>();
  private visits = 0;

  constructor(
    schema: Schema,
    document: QueryDocument,
    options: { rules: readonly Rule[]; charge: (steps: number) => void },
  ) {
    this.schema = schema;
    this.document = document;
    this.rules = options.rules;
    this.charge = options.charge;
  }

  report(message: string, position: Position | undefined): void {
    this.violations.push({ message, position });
  }

  walk(): void {
    for (const operation of this.document.Operations ?? []) {
      this.spreadNames = new Set();
      this.walkOperation(operation);
    }
    for (const fragment of this.document.Fragments ?? []) {
      this.spreadNames = new Set();
      this.walkFragment(fragment);
    }
  }

  private typeOf(name: string): Definition | undefined {
    return this.schema.types.get(name);
  }

  private walkOperation(operation: OperationDefinition): void {
    this.operation = operation;
    const variables = operation.VariableDefinitions ?? [];
    for (const variable of variables) {
      variable.definition = this.typeOf(typeName(variable.Type));
      for (const rule of this.rules) rule.variable?.(variable, this);
      if (variable.DefaultValue === undefined) continue;
      variable.DefaultValue.expectedType = variable.Type;
      variable.DefaultValue.definition = variable.definition;
    }
    for (const variable of variables) {
      if (variable.DefaultValue !== undefined) this.walkValue(variable.DefaultValue);
      this.walkDirectives(variable.Directives, 'VARIABLE_DEFINITION');
    }
    const kind = (operation.Operation ?? '') === '' ? 'query' : operation.Operation;
    const root = this.schema[kind as 'query' | 'mutation' | 'subscription'];
    this.walkDirectives(operation.Directives, kind.toUpperCase());
    this.walkSelections(root, operation.SelectionSet);
    for (const rule of this.rules) rule.operation?.(operation, this);
    this.operation = undefined;
  }

  private walkFragment(fragment: FragmentDefinition): void {
    fragment.definition = this.typeOf(fragment.TypeCondition);
    this.walkDirectives(fragment.Directives, 'FRAGMENT_DEFINITION');
    this.walkSelections(fragment.definition, fragment.SelectionSet);
    for (const rule of this.rules) rule.fragment?.(fragment, this);
  }

  private walkDirectives(directives: readonly Directive[] | undefined, location: string): void {
    for (const directive of directives ?? []) {
      directive.definition = this.schema.directives.get(directive.Name);
      directive.location = location;
      for (const arg of directive.Arguments ?? []) {
        this.walkArgument(byName(directive.definition?.Arguments, arg.Name), arg);
      }
      for (const rule of this.rules) rule.directive?.(directive, this);
    }
    for (const rule of this.rules) rule.directives?.(directives ?? [], this);
  }

  private walkArgument(definition: ArgumentDefinition | undefined, arg: Argument): void {
    if (definition !== undefined) this.expect(arg.Value, definition);
    this.walkValue(arg.Value);
  }

  private expect(value: ValueNode, { Type, DefaultValue }: ArgumentDefinition | FieldDefinition): void {
    value.expectedType = Type;
    value.expectedTypeHasDefault = DefaultValue !== undefined && DefaultValue.Kind !== ValueKind.Null;
    value.definition = this.typeOf(typeName(Type));
  }

  private walkValue(value: ValueNode): void {
    if (value.Kind === ValueKind.Variable && this.operation !== undefined) {
      value.variable = this.operation.VariableDefinitions?.find(({ Variable }) => Variable === value.Raw);
      if (value.variable !== undefined) value.variable.isUsed = true;
    }
    for (const child of value.Children ?? []) {
      if (value.Kind === ValueKind.Object) {
        const field = byName(value.definition?.Fields, child.Name);
        if (field !== undefined) this.expect(child.Value, field);
      } else if (value.expectedType?.Elem !== undefined) {
        child.Value.expectedType = value.expectedType.Elem;
        child.Value.definition = value.definition;
      }
      this.walkValue(child.Value);
    }
    for (const rule of this.rules) rule.value?.(value, this);
  }

  private walkSelections(parent: Definition | undefined, selections: readonly Selection[] | undefined): void {
    for (const selection of selections ?? []) {
      this.charge(1);
      this.visits++;
      if (this.visits > MAX_VISITS) throw new RangeError('the document is too large to validate');
      if (isField(selection)) this.walkField(parent, selection);
      else if (isInlineFragment(selection)) this.walkInlineFragment(parent, selection);
      else this.walkSpread(parent, selection as FragmentSpread);
    }
  }

  private walkField(parent: Definition | undefined, field: Field): void {
    field.definition = field.Name === '__typename' ? TYPENAME : byName(parent?.Fields, field.Name);
    field.parent = parent;
    for (const arg of field.Arguments ?? []) this.walkArgument(byName(field.definition?.Arguments, arg.Name), arg);
    this.walkDirectives(field.Directives, 'FIELD');
    const type = field.definition === undefined ? undefined : this.typeOf(typeName(field.definition.Type));
    this.walkSelections(type, field.SelectionSet);
    for (const rule of this.rules) rule.field?.(field, this);
  }

  private walkInlineFragment(parent: Definition | undefined, fragment: InlineFragment): void {
    fragment.parent = parent;
    const type = fragment.TypeCondition === '' ? parent : this.typeOf(fragment.TypeCondition);
    this.walkDirectives(fragment.Directives, 'INLINE_FRAGMENT');
    this.walkSelections(type, fragment.SelectionSet);
    for (const rule of this.rules) rule.inlineFragment?.(fragment, this);
  }

  private walkSpread(parent: Definition | undefined, spread: FragmentSpread): void {
    const definition = byName(this.document.Fragments, spread.Name);
    spread.definition = definition;
    spread.parent = parent;
    this.walkDirectives(spread.Directives, 'FRAGMENT_SPREAD');
    if (definition !== undefined && !this.spreadNames.has(definition.Name)) {
      this.spreadNames.add(definition.Name);
      this.walkDirectives(definition.Directives, 'FRAGMENT_DEFINITION');
      this.walkSelections(this.typeOf(definition.TypeCondition), definition.SelectionSet);
    }
    for (const rule of this.rules) rule.spread?.(spread, this);
  }
}
