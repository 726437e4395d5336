/**
 * Stage "expand": calls inside terms become expressions of their own that bind a temporary, terms
 * of comprehensions and heads that need evaluation move into the body, template strings become
 * calls (OPA's RewriteTemplateStrings, RewriteExprTerms, RewriteComprehensionTerms, RewriteRefHeads).
 * What runs before what, and outside or inside of `not`, follows from here.
 */
import type { Body, Expression, Location, Term, With } from '../syntax/ast.js';
import { operatorName } from '../syntax/ast.js';
import {
  appendToBody,
  type CompileContext,
  equality,
  isTrueBody,
  type NameSource,
  report,
  text,
  variable,
  type WorkRule,
} from './model.js';
import type { TreeNode } from './rule-tree.js';
import { compareTerms } from './term-order.js';
import { mapEntry, mapItems, requiresEvaluation, withParts } from './walk.js';

const OWN_SUBJECTS = new Set([
  'array',
  'object',
  'set',
  'array-comprehension',
  'set-comprehension',
  'object-comprehension',
  'call',
]);

function operatorRef(target: Term): Term {
  return target.kind === 'ref' ? target : { kind: 'ref', terms: [target], location: target.location };
}

/** Only functions are replaced by functions. */
function isInput(target: Term): boolean {
  const head = target.kind === 'ref' ? target.terms[0] : target;
  return head?.kind === 'var' && head.name === 'input';
}

export class Expander {
  private readonly context: Pick<CompileContext, 'errors' | 'builtins' | 'names' | 'tree'>;
  private readonly names: NameSource;

  constructor(context: Pick<CompileContext, 'errors' | 'builtins' | 'names' | 'tree'>) {
    this.context = context;
    this.names = context.names;
  }

  body(body: Body): Body {
    const result: Expression[] = [];
    for (const expression of body) this.expression(expression, result);
    return result;
  }

  private expression(expression: Expression, result: Expression[]): void {
    const modifiers =
      expression.with.length === 0
        ? expression.with
        : expression.with.map((modifier) => ({ ...modifier, value: this.withValue(modifier, result) }));
    const extras: Expression[] = [];
    const finish = (rewritten: Expression): void => {
      for (const extra of extras) result.push(modifiers.length === 0 ? extra : { ...extra, with: modifiers });
      result.push(rewritten);
    };
    switch (expression.kind) {
      case 'term':
        finish(withParts(expression, { term: this.term(expression.term, extras), with: modifiers }));
        return;
      case 'call':
        finish(
          withParts(expression, { args: mapItems(expression.args, (arg) => this.term(arg, extras)), with: modifiers }),
        );
        return;
      case 'every': {
        const domain = variable(this.names.fresh(), expression.domain.location);
        extras.push(equality(domain, this.term(expression.domain, extras), undefined, expression.domain.location));
        finish({ ...expression, domain, body: this.body(expression.body), with: modifiers });
        return;
      }
      case 'not':
        finish({ ...expression, body: this.body(expression.body), with: modifiers });
        return;
      case 'and':
      case 'or':
        finish({
          ...expression,
          left: this.body(expression.left),
          right: this.body(expression.right),
          with: modifiers,
        });
        return;
      case 'some':
        return;
    }
  }

  /** A bare name as a value (`with f as count`) is a function, not a variable. */
  private withValue({ target, value }: With, extras: Expression[]): Term {
    if (value.kind === 'var' && this.context.builtins.has(value.name)) {
      const name: Term = { kind: 'ref', terms: [value], location: value.location };
      if (this.isFunction(operatorRef(target))) return name;
      return isInput(target) ? this.captured(name, extras) : value;
    }
    const inner = this.term(value, extras);
    // What replaces a function is looked up when that is called.
    if (!requiresEvaluation(inner) || (!isInput(target) && this.isFunction(inner))) return inner;
    if (this.isFunction(operatorRef(target)) && this.isRule(inner)) return inner;
    return this.captured(inner, extras);
  }

  private captured(inner: Term, extras: Expression[]): Term {
    // What a `with` puts in place is evaluated first, and may loop.
    const local = variable(this.names.fresh(), inner.location);
    extras.push(equality(local, inner, undefined, inner.location));
    return local;
  }

  private isFunction(term: Term): boolean {
    const name = operatorName(term);
    if (name !== undefined && this.context.builtins.has(name)) return true;
    return this.node(term)?.isFunction === true;
  }

  private isRule(term: Term): boolean {
    return (this.node(term)?.rules.length ?? 0) > 0;
  }

  private node(term: Term): TreeNode | undefined {
    if (term.kind !== 'ref') return undefined;
    const [head, ...steps] = term.terms;
    if (head?.kind !== 'var' || head.name !== 'data' || !steps.every((step) => step.kind === 'scalar'))
      return undefined;
    return this.context.tree.find(steps.map((step) => (step.kind === 'scalar' ? step.value : '')));
  }

  /** The term with its calls replaced by temporaries, whose expressions go to `extras`. */
  term(term: Term, extras: Expression[]): Term {
    const each = (child: Term): Term => this.term(child, extras);
    switch (term.kind) {
      case 'call': {
        const args = term.args.map(each);
        return this.capture(term.operator, args, term.location, extras);
      }
      case 'template':
        return this.template(term, extras);
      case 'ref':
        return this.reference(term, extras);
      case 'array':
        return withParts(term, { items: mapItems(term.items, each) });
      case 'set': {
        const inOrder = term.items.length < 2 ? term.items : [...term.items].sort(compareTerms);
        return withParts(term, { items: mapItems(inOrder, each) });
      }
      case 'object': {
        // OPA keeps entries in the order of their keys: which is evaluated, and typed, last follows from it.
        const inOrder =
          term.entries.length < 2 ? term.entries : [...term.entries].sort(([a], [b]) => compareTerms(a, b));
        return withParts(term, { entries: mapItems(inOrder, (entry) => mapEntry(entry, each)) });
      }
      case 'array-comprehension':
      case 'set-comprehension': {
        const [body, inner] = this.closure(term.body, [term.term]);
        return { ...term, term: inner[0] ?? term.term, body };
      }
      case 'object-comprehension': {
        const [body, inner] = this.closure(term.body, [term.key, term.value]);
        return { ...term, key: inner[0] ?? term.key, value: inner[1] ?? term.value, body };
      }
      default:
        return term;
    }
  }

  private capture(operator: Term, args: readonly Term[], location: Location, extras: Expression[]): Term {
    const output = variable(this.names.fresh(), location);
    extras.push({
      kind: 'call',
      operator,
      args: [...args, output],
      negated: false,
      with: [],
      generated: true,
      location,
    });
    return output;
  }

  private reference(term: Term & { kind: 'ref' }, extras: Expression[]): Term {
    const terms = mapItems(term.terms, (part) => this.term(part, extras));
    const [head] = terms;
    if (head === undefined || !OWN_SUBJECTS.has(head.kind)) return terms === term.terms ? term : { ...term, terms };
    const local = variable(this.names.fresh(), head.location);
    const value = head.kind === 'object' ? { ...head, isHead: true } : head;
    extras.push(equality(local, value, undefined, head.location));
    return { ...term, terms: [local, ...terms.slice(1)] };
  }

  /** A closure's body with what its terms need appended. */
  private closure(body: Body, terms: readonly Term[]): readonly [Body, readonly Term[]] {
    const extras: Expression[] = [];
    const heads = terms.map((term) => {
      const inner = this.term(term, extras);
      if (!requiresEvaluation(inner)) return inner;
      const local = variable(this.names.fresh(), inner.location);
      extras.push(equality(local, inner, undefined, inner.location));
      return local;
    });
    return [this.withExtras(body, this.body(body), extras), heads];
  }

  private template(term: Term & { kind: 'template' }, extras: Expression[]): Term {
    const { location } = term;
    const items = term.parts.map((part) => ('negated' in part ? this.templatePart(part) : part));
    const array: Term = { kind: 'array', items: items.length === 0 ? [text('', location)] : items, location };
    const operator: Term = {
      kind: 'ref',
      terms: [variable('internal', location), text('template_string', location)],
      location,
    };
    return this.capture(operator, [this.term(array, extras)], location, extras);
  }

  /** `{x | x = part}`: an undefined part is an empty set, printed as `<undefined>`. */
  private templatePart(part: Expression): Term {
    const { location } = part;
    let term: Term;
    if (part.kind === 'call') {
      const name = operatorName(part.operator);
      if (name !== undefined && this.context.builtins.get(name)?.relation === true) {
        const message = `illegal call to relation built-in '${name}' that may cause multiple outputs`;
        report(this.context, 'rego_compile_error', location, message);
      }
      term = { kind: 'call', operator: part.operator, args: part.args, location };
    } else if (part.kind === 'term') term = part.term;
    else {
      report(this.context, 'rego_compile_error', location, 'unexpected template-string expression type');
      return text('', location);
    }
    if (term.kind === 'var' && part.with.length === 0) return { kind: 'set', items: [term], location };
    const local = variable(this.names.fresh(), location);
    return { kind: 'set-comprehension', term: local, body: [equality(local, term, part, location)], location };
  }

  /** Moves what a rule's head needs into its body. */
  rule(rule: WorkRule): void {
    const extras: Expression[] = [];
    const bind = (term: Term): Term => {
      const inner = this.term(term, extras);
      if (!requiresEvaluation(inner)) return inner;
      const local = variable(this.names.fresh(), inner.location);
      extras.push(equality(local, inner, undefined, inner.location));
      return local;
    };
    const body = this.body(rule.body);
    rule.ref = rule.ref.map((term, index) => {
      if (index === 0 || term.kind === 'scalar' || term.kind === 'var') return term;
      const inner = this.term(term, extras);
      const local = variable(this.names.fresh(), term.location);
      extras.push(equality(local, inner, undefined, term.location));
      return local;
    });
    rule.args = rule.args?.map(bind);
    rule.key = rule.key && bind(rule.key);
    rule.value = rule.value && bind(rule.value);
    rule.body = this.withExtras(rule.body, body, extras);
  }

  /** A body of nothing but `true`, also when negated or under `with`, is as good as none for OPA when something is appended. */
  private withExtras(written: Body, expanded: Body, extras: readonly Expression[]): Body {
    return isTrueBody(written)
      ? appendToBody(written, extras.length > 0 ? extras : expanded)
      : [...expanded, ...extras];
  }
}
