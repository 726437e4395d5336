/** Parses executable documents, and the parts type definitions share with them. */
import {
  type Argument,
  type ChildValue,
  type Directive,
  type Field,
  type FragmentDefinition,
  type OperationDefinition,
  type QueryDocument,
  type Selection,
  type TypeReference,
  ValueKind,
  type ValueNode,
  type VariableDefinition,
} from './ast.js';
import type { Token } from './lexer.js';
import { defined, TokenReader } from './token-reader.js';

const LITERALS: Readonly<Record<string, number>> = {
  Int: ValueKind.Int,
  Float: ValueKind.Float,
  String: ValueKind.String,
  BlockString: ValueKind.Block,
};

export class QueryParser extends TokenReader {
  document(): QueryDocument {
    const operations: OperationDefinition[] = [];
    const fragments: FragmentDefinition[] = [];
    for (let token = this.peek(); token.kind !== '<EOF>'; token = this.peek()) {
      if (token.kind === '{') operations.push(this.operation());
      else if (token.kind !== 'Name') throw this.unexpected();
      else if (['query', 'mutation', 'subscription'].includes(token.value)) operations.push(this.operation());
      else if (token.value === 'fragment') fragments.push(this.fragmentDefinition());
      else throw this.unexpected();
    }
    return { Operations: operations, Fragments: fragments };
  }

  private operation(): OperationDefinition {
    const { position } = this.peek();
    const Comment = this.comment;
    if (this.peek().kind === '{') {
      return defined({ position, Operation: 'query', Name: '', SelectionSet: this.selectionSet() });
    }
    const Operation = this.next().value;
    const Name = this.peek().kind === 'Name' ? this.next().value : '';
    const VariableDefinitions = this.variableDefinitions();
    const Directives = this.directives(false);
    return defined({
      position,
      Operation,
      Name,
      VariableDefinitions,
      Directives,
      SelectionSet: this.selectionSet(),
      Comment,
    });
  }

  private variableDefinitions(): VariableDefinition[] | undefined {
    return this.some('(', ')', () => this.variableDefinition()).items;
  }

  private variableDefinition(): VariableDefinition {
    const { position } = this.peek();
    const Comment = this.comment;
    const Variable = this.variable();
    this.expect(':');
    const Type = this.typeReference();
    const DefaultValue = this.skip('=') ? this.valueLiteral(true) : undefined;
    const Directives = this.directives(false);
    return defined({ position, Variable, Type, DefaultValue, Directives, Comment, Used: false });
  }

  private variable(): string {
    this.expect('$');
    return this.name();
  }

  private selectionSet(): Selection[] | undefined {
    if (this.peek().kind !== '{') throw this.error(`Expected {, found ${this.peek().kind}`);
    return this.some('{', '}', () => this.selection()).items;
  }

  private selection(): Selection {
    return this.peek().kind === '...' ? this.fragment() : this.field();
  }

  private field(): Field {
    const { position } = this.peek();
    const Comment = this.comment;
    const Alias = this.name();
    const Name = this.skip(':') ? this.name() : Alias;
    const Arguments = this.arguments(false);
    const Directives = this.directives(false);
    const SelectionSet = this.peek().kind === '{' ? this.selectionSet() : undefined;
    return defined({ position, Alias, Name, Arguments, Directives, SelectionSet, Comment });
  }

  private fragment(): Selection {
    this.peek();
    const Comment = this.comment;
    this.expect('...');
    const { position, kind, value } = this.peek();
    if (kind === 'Name' && value !== 'on') {
      return defined({ position, Name: this.fragmentName(), Directives: this.directives(false), Comment });
    }
    let TypeCondition = '';
    if (value === 'on') {
      this.next();
      TypeCondition = this.name();
    }
    const Directives = this.directives(false);
    return defined({ position, TypeCondition, Directives, SelectionSet: this.selectionSet(), Comment });
  }

  private fragmentDefinition(): FragmentDefinition {
    const { position } = this.peek();
    const Comment = this.comment;
    this.expectKeyword('fragment');
    const Name = this.fragmentName();
    const VariableDefinition = this.variableDefinitions();
    this.expectKeyword('on');
    const TypeCondition = this.name();
    const Directives = this.directives(false);
    const SelectionSet = this.selectionSet();
    return defined({ position, Name, VariableDefinition, TypeCondition, Directives, SelectionSet, Comment });
  }

  private fragmentName(): string {
    if (this.peek().value === 'on') throw this.unexpected();
    return this.name();
  }

  protected arguments(isConstant: boolean): Argument[] | undefined {
    return this.some('(', ')', () => {
      const { position } = this.peek();
      const Comment = this.comment;
      const Name = this.name();
      this.expect(':');
      return defined<Argument>({ position, Name, Value: this.valueLiteral(isConstant), Comment });
    }).items;
  }

  protected directives(isConstant: boolean): Directive[] | undefined {
    const directives: Directive[] = [];
    while (this.skip('@')) {
      const { position } = this.peek();
      const Name = this.name();
      directives.push(defined<Directive>({ position, Name, Arguments: this.arguments(isConstant), Location: '' }));
    }
    return directives.length === 0 ? undefined : directives;
  }

  protected typeReference(): TypeReference {
    const type: TypeReference = { NamedType: '', NonNull: false };
    if (this.skip('[')) {
      type.position = this.peek().position;
      type.Elem = this.typeReference();
      this.expect(']');
    } else {
      type.position = this.peek().position;
      type.NamedType = this.name();
    }
    type.NonNull = this.skip('!');
    return type;
  }

  protected valueLiteral(isConstant: boolean): ValueNode {
    const token = this.peek();
    const { position } = token;
    const Comment = this.comment;
    const common = { position, Raw: '', ExpectedTypeHasDefault: false };
    if (token.kind === '[') {
      const read = (): ChildValue => ({ Name: '', Value: this.valueLiteral(isConstant) });
      return defined({ ...common, Children: this.many('[', ']', read), Kind: ValueKind.List, Comment });
    }
    if (token.kind === '{') {
      const read = (): ChildValue => this.objectField(isConstant);
      return defined({ ...common, Children: this.many('{', '}', read), Kind: ValueKind.Object, Comment });
    }
    if (token.kind === '$') {
      if (isConstant) throw this.unexpected();
      return defined({ ...common, Raw: this.variable(), Kind: ValueKind.Variable });
    }
    const Kind = this.literalKind(token);
    this.next();
    return { ...common, Raw: token.value, Kind };
  }

  private literalKind(token: Token): number {
    if (token.kind !== 'Name') return LITERALS[token.kind] ?? this.failUnexpected();
    if (token.value === 'true' || token.value === 'false') return ValueKind.Boolean;
    return token.value === 'null' ? ValueKind.Null : ValueKind.Enum;
  }

  private failUnexpected(): never {
    throw this.unexpected();
  }

  private objectField(isConstant: boolean): ChildValue {
    const { position } = this.peek();
    const Comment = this.comment;
    const Name = this.name();
    this.expect(':');
    return defined({ position, Name, Value: this.valueLiteral(isConstant), Comment });
  }
}

/** Errors: `GraphqlError`. */
export function parseQuery(text: string): QueryDocument {
  return new QueryParser(text).document();
}
