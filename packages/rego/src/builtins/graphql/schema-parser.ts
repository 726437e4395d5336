/** Parses type system documents: definitions and extensions. */
import type {
  ArgumentDefinition,
  Comment,
  Definition,
  DirectiveDefinition,
  EnumValueDefinition,
  FieldDefinition,
  Kind,
  OperationType,
  Position,
  SchemaDefinition,
  SchemaDocument,
} from './ast.js';
import { QueryParser } from './query-parser.js';
import { defined } from './token-reader.js';

const KINDS: Readonly<Record<string, Kind>> = {
  scalar: 'SCALAR',
  type: 'OBJECT',
  interface: 'INTERFACE',
  union: 'UNION',
  enum: 'ENUM',
  input: 'INPUT_OBJECT',
};

const LOCATIONS: ReadonlySet<string> = new Set(
  (
    'QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT VARIABLE_DEFINITION SCHEMA ' +
    'SCALAR OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT INPUT_FIELD_DEFINITION'
  ).split(' '),
);

interface Description {
  readonly text: string;
  readonly comment: Comment | undefined;
}

const NO_DESCRIPTION: Description = { text: '', comment: undefined };

class SchemaParser extends QueryParser {
  schemaDocument(): SchemaDocument {
    const document = { Schema: [], SchemaExtension: [], Directives: [], Definitions: [], Extensions: [] } as Required<
      Omit<SchemaDocument, 'Comment'>
    >;
    while (this.peek().kind !== '<EOF>') this.definition(document);
    return defined<SchemaDocument>({ ...document, Comment: this.comment });
  }

  private definition(document: Required<Omit<SchemaDocument, 'Comment'>>): void {
    const description = this.description();
    const { kind, value } = this.peek();
    if (kind !== 'Name') throw this.unexpected();
    if (Object.hasOwn(KINDS, value)) document.Definitions.push(this.typeDefinition(description));
    else if (value === 'schema') document.Schema.push(this.schemaDefinition(description));
    else if (value === 'directive') document.Directives.push(this.directiveDefinition(description));
    else if (value === 'extend') {
      if (description.text !== '') throw this.unexpected(this.previous);
      this.extension(document);
    } else throw this.unexpected();
  }

  private description(): Description {
    const { kind } = this.peek();
    if (kind !== 'String' && kind !== 'BlockString') return NO_DESCRIPTION;
    const { comment } = this;
    return { text: this.next().value, comment };
  }

  private extension(document: Required<Omit<SchemaDocument, 'Comment'>>): void {
    const { comment } = this;
    this.expectKeyword('extend');
    const { value } = this.peek();
    if (value === 'schema') {
      const extension = this.schemaDefinition(NO_DESCRIPTION, comment);
      if (extension.Directives === undefined && extension.OperationTypes === undefined) throw this.unexpected();
      document.SchemaExtension.push(extension);
      return;
    }
    if (!Object.hasOwn(KINDS, value)) throw this.unexpected();
    const extension = this.typeDefinition(NO_DESCRIPTION, { comment });
    const { Directives, Interfaces, Fields, Types, EnumValues } = extension;
    if ([Directives, Interfaces, Fields, Types, EnumValues].every((part) => part === undefined))
      throw this.unexpected();
    document.Extensions.push(extension);
  }

  private schemaDefinition(description: Description, extended?: Comment): SchemaDefinition {
    const comment = extended ?? this.comment;
    this.expectKeyword('schema');
    const { position } = this.peek();
    const Directives = this.directives(true);
    const { items, end } = this.some('{', '}', () => this.operationType());
    return defined<SchemaDefinition>({
      position,
      Description: description.text,
      Directives,
      OperationTypes: items,
      BeforeDescriptionComment: description.comment,
      AfterDescriptionComment: comment,
      EndOfDefinitionComment: end,
    });
  }

  private operationType(): OperationType {
    const { position } = this.peek();
    const Comment = this.comment;
    const token = this.next();
    if (!['query', 'mutation', 'subscription'].includes(token.value)) throw this.unexpected(token);
    this.expect(':');
    return defined<OperationType>({ position, Operation: token.value, Type: this.name(), Comment });
  }

  private typeDefinition(description: Description, extension?: { comment: Comment | undefined }): Definition {
    const comment = extension === undefined ? this.comment : extension.comment;
    const Kind = KINDS[this.next().value] as Kind;
    const { position } = this.peek();
    const Name = this.name();
    const mayImplement = Kind === 'OBJECT' || (Kind === 'INTERFACE' && extension === undefined);
    const Interfaces = mayImplement ? this.interfaces() : undefined;
    const Directives = this.directives(!(Kind === 'INPUT_OBJECT' && extension !== undefined));
    return defined<Definition>({
      position,
      Kind,
      Description: description.text,
      Name,
      Directives,
      Interfaces,
      ...this.body(Kind),
      BuiltIn: false,
      BeforeDescriptionComment: description.comment,
      AfterDescriptionComment: comment,
    });
  }

  private body(kind: Kind): Partial<Definition> {
    switch (kind) {
      case 'OBJECT':
      case 'INTERFACE':
      case 'INPUT_OBJECT': {
        const read = (): FieldDefinition => (kind === 'INPUT_OBJECT' ? this.inputValue() : this.fieldDefinition());
        const { items, end } = this.some('{', '}', read);
        return defined<Partial<Definition>>({ Fields: items, EndOfDefinitionComment: end });
      }
      case 'UNION':
        return this.memberTypes();
      case 'ENUM': {
        const { items, end } = this.some('{', '}', () => this.enumValue());
        return defined<Partial<Definition>>({ EnumValues: items, EndOfDefinitionComment: end });
      }
      default:
        return {};
    }
  }

  private interfaces(): string[] | undefined {
    if (this.peek().value !== 'implements') return undefined;
    this.next();
    this.skip('&');
    const names = [this.name()];
    while (this.skip('&')) names.push(this.name());
    return names;
  }

  private memberTypes(): Partial<Definition> {
    if (!this.skip('=')) return {};
    this.skip('|');
    const typePositions: Position[] = [];
    const Types: string[] = [];
    do {
      typePositions.push(this.peek().position);
      Types.push(this.name());
    } while (this.skip('|'));
    return { Types, typePositions };
  }

  /** Description and comments before a name. A description that is empty counts as none. */
  private lead(): {
    Description: string;
    BeforeDescriptionComment?: Comment;
    AfterDescriptionComment?: Comment;
    position: Position;
  } {
    const { text, comment } = this.description();
    const { position } = this.peek();
    return defined({
      Description: text,
      BeforeDescriptionComment: text === '' ? undefined : comment,
      AfterDescriptionComment: this.comment,
      position,
    });
  }

  private fieldDefinition(): FieldDefinition {
    const lead = this.lead();
    const Name = this.name();
    const Arguments = this.argumentDefinitions();
    this.expect(':');
    const Type = this.typeReference();
    return defined<FieldDefinition>({ ...lead, Name, Arguments, Type, Directives: this.directives(true) });
  }

  private argumentDefinitions(): ArgumentDefinition[] | undefined {
    return this.some('(', ')', () => this.inputValue()).items;
  }

  private inputValue(): ArgumentDefinition {
    const lead = this.lead();
    const Name = this.name();
    this.expect(':');
    const Type = this.typeReference();
    const DefaultValue = this.skip('=') ? this.valueLiteral(true) : undefined;
    return defined<ArgumentDefinition>({ ...lead, Name, DefaultValue, Type, Directives: this.directives(true) });
  }

  private enumValue(): EnumValueDefinition {
    const lead = this.lead();
    const Name = this.name();
    return defined<EnumValueDefinition>({ ...lead, Name, Directives: this.directives(true) });
  }

  private directiveDefinition(description: Description): DirectiveDefinition {
    const { comment } = this;
    this.expectKeyword('directive');
    this.expect('@');
    const { position } = this.peek();
    const Name = this.name();
    const Arguments = this.argumentDefinitions();
    const IsRepeatable = this.peek().kind === 'Name' && this.peek().value === 'repeatable';
    if (IsRepeatable) this.next();
    this.expectKeyword('on');
    this.skip('|');
    const Locations: string[] = [];
    do {
      const token = this.expect('Name');
      if (!LOCATIONS.has(token.value)) throw this.unexpected(token);
      Locations.push(token.value);
    } while (this.skip('|'));
    return defined<DirectiveDefinition>({
      position,
      Description: description.text,
      Name,
      Arguments,
      Locations,
      IsRepeatable,
      BeforeDescriptionComment: description.comment,
      AfterDescriptionComment: comment,
    });
  }
}

/** Errors: `GraphqlError`. */
export function parseSchema(text: string): SchemaDocument {
  return new SchemaParser(text).schemaDocument();
}
