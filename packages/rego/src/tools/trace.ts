/**
 * The steps of an evaluation in the form of `opa eval --explain`: what was entered, evaluated, failed, tried again and left. They are
 * told from the probes passed. Expressions are shown as written, and steps OPA's evaluator has for itself (indexes, unification) are
 * not among them.
 */
import { isTrueBody } from '../compile/model.js';
import { formatRef, groundPrefix } from '../compile/rule-tree.js';
import { walkExpression } from '../compile/walk.js';
import type { Expression, Location } from '../syntax/ast.js';
import type { OrderedJson } from './ordered-json.js';
import { bodyDocument } from './syntax-tree.js';
import type { Probe } from './workbench.js';

type Operation = 'Enter' | 'Eval' | 'Fail' | 'Redo' | 'Exit' | 'Note';

export interface TraceEvent {
  readonly operation: Operation;
  /** Of what is entered or left: its first probe. */
  readonly probe: Probe;
  /** A body as a whole, not an expression in it. */
  readonly isBody: boolean;
  /** Numbers of evaluations of bodies; that of the query is 0. */
  readonly id: number;
  readonly parent: number;
  readonly depth: number;
  readonly message: string;
}

interface Frame {
  readonly chain: readonly Probe[];
  readonly id: number;
  readonly parent: number;
  readonly depth: number;
  /** The expression evaluated last. */
  current: number;
  hasLeft: boolean;
}

export const TRACE_LEVELS = ['off', 'full', 'notes', 'fails', 'debug'] as const;
export type TraceLevel = (typeof TRACE_LEVELS)[number];

/** Whether an expression has a reference to a rule, or to something around it. */
function mayReach(expression: Expression, rule: string): boolean {
  let found = false;
  walkExpression(expression, {
    term: (term) => {
      if (term.kind !== 'ref' || term.terms[0]?.kind !== 'var' || term.terms[0].name !== 'data') return true;
      const path = formatRef([term.terms[0], ...groundPrefix(term.terms)]);
      if (`${rule}.`.startsWith(`${path}.`) || `${path}.`.startsWith(`${rule}.`)) found = true;
      return true;
    },
  });
  return found;
}

/** Notes the probes passed. */
export class Tracer {
  private readonly events: TraceEvent[] = [];
  private readonly frames: Frame[] = [];
  private entered = 0;

  reached(probe: Probe): void {
    if (probe.index === 0) this.enter(probe);
    else this.resume(probe);
    const frame = this.frames.at(-1) as Frame;
    if (probe.kind !== 'expression') {
      frame.hasLeft = true;
      this.note('Exit', frame, frame.chain[0] as Probe, true);
      return;
    }
    frame.hasLeft = false;
    frame.current = probe.index;
    this.note('Eval', frame, probe, false);
  }

  /** What a policy says of itself with `trace`. */
  said(message: string): void {
    const frame = this.frames.at(-1);
    if (frame !== undefined) this.note('Note', frame, frame.chain[frame.current] as Probe, false, message);
  }

  /** To be called when the evaluation is over. */
  finish(): readonly TraceEvent[] {
    while (this.frames.length > 0) this.leave();
    return this.events;
  }

  private enter(probe: Probe): void {
    const again = this.frames.findIndex((frame) => frame.chain === probe.chain);
    while (again >= 0 && this.frames.length > again) this.leave();
    const isRule = probe.chain.at(-1)?.kind === 'exit';
    // Rules of one name stand beside one another, and what has been left is nobody's parent.
    for (let top = this.frames.at(-1); top !== undefined; top = this.frames.at(-1)) {
      const isSibling = isRule && probe.rule !== '' && top.chain[0]?.rule === probe.rule;
      const asked = top.chain[top.current]?.expression;
      const isAsked = !isRule || asked === undefined || mayReach(asked, probe.rule);
      if (!isSibling && !top.hasLeft && isAsked) break;
      this.leave();
    }
    const frame = this.push(probe);
    this.note('Enter', frame, probe, true);
  }

  /** Back in a body: what was evaluated in between is over. */
  private resume(probe: Probe): void {
    const known = this.frames.findIndex((frame) => frame.chain === probe.chain);
    while (known >= 0 && this.frames.length > known + 1) this.leave();
    if (known < 0) {
      const frame = this.push(probe);
      this.note('Redo', frame, probe.chain[0] as Probe, true);
      frame.current = probe.index - 1;
      return;
    }
    const frame = this.frames[known] as Frame;
    if (probe.index <= frame.current) this.back(frame, probe.index);
  }

  /** The last expression failed, or has no further answer; those before are tried again. */
  private back(frame: Frame, to: number): void {
    const last = frame.chain[frame.current] as Probe;
    if (frame.hasLeft) this.note('Redo', frame, frame.chain[0] as Probe, true);
    this.note(frame.hasLeft ? 'Redo' : 'Fail', frame, last, false);
    for (let at = frame.current - 1; at >= Math.max(to - 1, 0); at--)
      this.note('Redo', frame, frame.chain[at] as Probe, false);
  }

  private leave(): void {
    const frame = this.frames.pop();
    if (frame !== undefined && frame.current >= 0) this.back(frame, 0);
  }

  private push(probe: Probe): Frame {
    const outer = this.frames.at(-1);
    const frame: Frame = {
      chain: probe.chain,
      id: this.entered,
      parent: outer?.id ?? 0,
      depth: outer === undefined ? 0 : outer.depth + 1,
      current: -1,
      hasLeft: false,
    };
    this.entered += 1;
    this.frames.push(frame);
    return frame;
  }

  private note(operation: Operation, frame: Frame, probe: Probe, isBody: boolean, message = ''): void {
    // What a query's other expressions are checked with is none of its own.
    if (!isBody && probe.rule === '' && probe.expression?.generated === true) return;
    const { id, parent, depth } = frame;
    const isOutside = isBody && operation !== 'Exit';
    this.events.push({ operation, probe, isBody, id, parent, depth: isOutside ? depth : depth + 1, message });
  }
}

/** With each event of the operation what was entered on the way to it. */
function onTheWay(events: readonly TraceEvent[], operation: Operation): readonly TraceEvent[] {
  const wanted = new Set<TraceEvent>();
  const entered = new Map<number, TraceEvent>();
  for (const event of events) {
    if (event.operation === 'Enter') entered.set(event.id, event);
    if (event.operation !== operation) continue;
    wanted.add(event);
    for (let at = entered.get(event.id); at !== undefined && !wanted.has(at); at = entered.get(at.parent))
      wanted.add(at);
  }
  return events.filter((event) => wanted.has(event));
}

export function selectEvents(events: readonly TraceEvent[], level: TraceLevel): readonly TraceEvent[] {
  if (level === 'off') return [];
  if (level === 'notes') return onTheWay(events, 'Note');
  return level === 'fails' ? onTheWay(events, 'Fail') : events;
}

const placeOf = ({ probe, isBody }: TraceEvent): Location =>
  isBody && probe.chain.at(-1)?.kind === 'exit' && probe.rule !== '' ? probe.head : probe.location;

function textOf({ probe, isBody }: TraceEvent, sources: ReadonlyMap<string, string>): string {
  const written = ({ file, offset, end }: Location): string =>
    (sources.get(file)?.slice(offset, end) ?? '').replace(/\s+/g, ' ');
  if (!isBody) return written(probe.location);
  if (probe.chain.at(-1)?.kind === 'exit' && probe.rule !== '') return probe.rule;
  const own = probe.chain.filter(
    ({ expression }) => expression !== undefined && (probe.rule !== '' || expression.generated !== true),
  );
  return own.map(({ location }) => written(location)).join('; ');
}

const GAP = 4;

/** One event a line; `sources`: the texts of modules by name, that of the query by the empty one. */
export function prettyTrace(events: readonly TraceEvent[], sources: ReadonlyMap<string, string>): string {
  const places = events.map((event) => {
    const { file, row } = placeOf(event);
    return `${file === '' ? 'query' : file}:${row}`;
  });
  const width = Math.max(0, ...places.map((place) => place.length)) + GAP;
  return events
    .map((event, index) => {
      const what = event.operation === 'Note' ? JSON.stringify(event.message) : textOf(event, sources);
      return `${(places[index] ?? '').padEnd(width)} ${'| '.repeat(event.depth)}${event.operation} ${what}\n`;
    })
    .join('');
}

function nodeOf({ probe, isBody }: TraceEvent): OrderedJson {
  const expressions = probe.chain.flatMap(({ expression }) =>
    expression === undefined || (probe.rule === '' && expression.generated === true) ? [] : [expression],
  );
  if (!isBody) {
    const [only = null] = bodyDocument(
      probe.expression === undefined ? [] : [probe.expression],
    ) as readonly OrderedJson[];
    return only;
  }
  const body = bodyDocument(isTrueBody(expressions) ? [] : expressions);
  const name = probe.rule.split('.').at(-1) ?? '';
  return probe.rule === '' || probe.chain.at(-1)?.kind !== 'exit' ? body : { body, head: { name } };
}

/** As OPA writes a trace as JSON. */
export const traceDocument = (events: readonly TraceEvent[]): OrderedJson =>
  events.map((event) => {
    const { file, row, col } = placeOf(event);
    return {
      Op: event.operation,
      Node: nodeOf(event),
      Location: { file, row, col },
      QueryID: event.id,
      ParentID: event.parent,
      Locals: [],
      LocalMetadata: {},
      Message: event.message,
      Ref: null,
    };
  });
