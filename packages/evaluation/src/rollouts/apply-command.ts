/**
 * The state machine of a rollout: `(rollout, command, now) → next rollout and what happened, or why not`.
 *
 *   draft → scheduled → running ⇄ paused, running → baking → completed; abort and rollback lead out.
 *
 * Time is an argument. It counts while running or baking; a clock that goes back counts nothing, and a clock that
 * leaps forward (or a worker that was away) takes one step and no more, after which the next step's wait is whole: a
 * rollout may be late, and is never early.
 */
import type { Fault } from '../fault.js';
import type {
  GuardVerdict,
  Rollout,
  RolloutCommand,
  RolloutDefinition,
  RolloutEvent,
  RolloutState,
  RolloutStep,
} from './rollout.js';
import { endsByItself, timetableOf, validateRollout } from './timetable.js';

export interface RolloutChange {
  readonly rollout: Rollout;
  /** In order; empty when nothing happened, and then `rollout` is the one that was given. */
  readonly events: readonly RolloutEvent[];
}

/** Why a command was refused; the rollout stays as it is. */
export interface RolloutRefusal {
  readonly error: { readonly code: 'rollout.invalid' | 'rollout.state'; readonly message: string };
  /** For a definition that cannot be: every fault in it. */
  readonly faults?: readonly Fault[];
}

export type RolloutResult = RolloutChange | RolloutRefusal;

/** A new rollout, as a draft: nobody is in. */
export function createRollout(definition: RolloutDefinition, nowMs: number): RolloutResult {
  const faults = validateRollout(definition);
  if (faults.length > 0) {
    const message = faults.map((fault) => `${fault.path}: ${fault.message}`).join('; ');
    return { error: { code: 'rollout.invalid', message }, faults };
  }
  const rollout: Rollout = {
    definition,
    state: 'draft',
    percent: 0,
    stepsTaken: 0,
    elapsedMs: 0,
    sinceMs: null,
    lastMs: nowMs,
  };
  return { rollout, events: [{ kind: 'created', atMs: nowMs, percent: 0 }] };
}

/** From which states a command is taken. */
const ALLOWED: Readonly<Record<Exclude<RolloutCommand['kind'], 'advance'>, readonly RolloutState[]>> = {
  start: ['draft'],
  pause: ['running', 'baking'],
  resume: ['paused'],
  promote: ['running', 'paused'],
  abort: ['draft', 'scheduled', 'running', 'paused', 'baking'],
  rollback: ['running', 'paused', 'baking', 'completed'],
};

/** Applies a command. `advance` is taken in every state; where there is nothing to do it changes nothing. */
export function applyCommand(rollout: Rollout, command: RolloutCommand, nowMs: number): RolloutResult {
  if (command.kind === 'advance') return advance(rollout, command.verdict, nowMs);
  const allowed = ALLOWED[command.kind];
  if (!allowed.includes(rollout.state)) {
    const message = `a rollout that is ${rollout.state} cannot ${command.kind}; it can while it is ${allowed.join(' or ')}`;
    return { error: { code: 'rollout.state', message } };
  }
  switch (command.kind) {
    case 'start':
      return start(rollout, nowMs);
    case 'pause':
      return changed(
        {
          ...stopClock(rollout, nowMs),
          state: 'paused',
          pausedFrom: rollout.state === 'baking' ? 'baking' : 'running',
        },
        [event('paused', rollout.percent, nowMs)],
      );
    case 'resume':
      return resume(rollout, nowMs);
    case 'promote':
      return promote(rollout, command.full === true, nowMs);
    case 'abort':
      return leave(rollout, 'aborted', nowMs, command.reason);
    case 'rollback':
      return leave(rollout, 'rolled_back', nowMs, command.reason);
    default:
      return command satisfies never;
  }
}

const changed = (rollout: Rollout, events: readonly RolloutEvent[]): RolloutChange => ({ rollout, events });

const event = (kind: RolloutEvent['kind'], percent: number, atMs: number, reason?: string): RolloutEvent => ({
  kind,
  atMs,
  percent,
  ...(reason === undefined ? {} : { reason }),
});

/** Running time at a moment; a moment before the clock was started counts nothing. */
export const elapsedAt = (rollout: Rollout, nowMs: number): number =>
  rollout.elapsedMs + (rollout.sinceMs === null ? 0 : Math.max(0, nowMs - rollout.sinceMs));

function stopClock(rollout: Rollout, nowMs: number): Rollout {
  return { ...rollout, elapsedMs: elapsedAt(rollout, nowMs), sinceMs: null, lastMs: Math.max(nowMs, rollout.lastMs) };
}

/** Lets time count from now on, or from the latest moment known when the clock went back. */
function runClock(rollout: Rollout, nowMs: number): Rollout {
  const sinceMs = Math.max(nowMs, rollout.lastMs);
  return { ...rollout, sinceMs, lastMs: sinceMs };
}

/** The step that comes next, if any. */
const nextStep = (rollout: Rollout): RolloutStep | undefined =>
  timetableOf(rollout.definition.strategy)[rollout.stepsTaken];

/** When a rollout may begin. */
function startAt({ definition }: Rollout): number {
  const { strategy, startAtMs = 0 } = definition;
  return strategy.kind === 'time_window' ? Math.max(strategy.startAtMs, startAtMs) : startAtMs;
}

function start(rollout: Rollout, nowMs: number): RolloutResult {
  if (nowMs < startAt(rollout))
    return changed({ ...rollout, state: 'scheduled', lastMs: Math.max(nowMs, rollout.lastMs) }, [
      event('scheduled', 0, nowMs),
    ]);
  return run(rollout, nowMs);
}

function run(rollout: Rollout, nowMs: number): RolloutChange {
  const running: Rollout = runClock({ ...rollout, state: 'running' }, nowMs);
  const first = nextStep(running);
  if (first === undefined || first.afterMs > 0) return changed(running, [event('started', 0, nowMs)]);
  const stepped = take(running, first, nowMs);
  return changed(stepped.rollout, [event('started', first.percent, nowMs), ...stepped.events.slice(1)]);
}

/** Takes a step. Its wait is over at `step.afterMs` exactly: time beyond it counts for nothing. */
function take(rollout: Rollout, step: RolloutStep, nowMs: number): RolloutChange {
  const isRunning = rollout.sinceMs !== null;
  const stopped = { ...stopClock(rollout, nowMs), elapsedMs: step.afterMs };
  const clocked = isRunning ? runClock(stopped, nowMs) : stopped;
  const taken: Rollout = {
    ...clocked,
    stepsTaken: rollout.stepsTaken + 1,
    percent: Math.max(rollout.percent, step.percent),
  };
  const events = [event('stepped', taken.percent, nowMs)];
  if (step.percent < 100 || !endsByItself(rollout.definition.strategy)) return changed(taken, events);
  const finished = bake(taken, nowMs);
  return changed(finished.rollout, [...events, ...finished.events]);
}

/** Everybody is in: the guards watch for a while yet. A promoted rollout that was paused goes on. */
function bake(rollout: Rollout, nowMs: number): RolloutChange {
  const stopped = stopClock(rollout, nowMs);
  if ((rollout.definition.bakeMs ?? 0) === 0) return complete(stopped, nowMs);
  const baking: Rollout = runClock({ ...stopped, elapsedMs: 0, state: 'baking' }, nowMs);
  return changed(withoutPause(baking), [event('baking', baking.percent, nowMs)]);
}

function complete(rollout: Rollout, nowMs: number): RolloutChange {
  const completed: Rollout = withoutPause({ ...stopClock(rollout, nowMs), state: 'completed' });
  return changed(completed, [event('completed', completed.percent, nowMs)]);
}

function withoutPause({ pausedFrom: _left, ...rollout }: Rollout): Rollout {
  return rollout;
}

function resume(rollout: Rollout, nowMs: number): RolloutChange {
  const resumed = runClock({ ...withoutPause(rollout), state: rollout.pausedFrom ?? 'running' }, nowMs);
  return changed(resumed, [event('resumed', resumed.percent, nowMs)]);
}

function promote(rollout: Rollout, isFull: boolean, nowMs: number): RolloutResult {
  if (rollout.pausedFrom === 'baking') {
    const message = 'everybody is in already; resume it, or let the bake time pass';
    return { error: { code: 'rollout.state', message } };
  }
  const steps = timetableOf(rollout.definition.strategy);
  const step = isFull ? steps.at(-1) : steps[rollout.stepsTaken];
  if (step === undefined || !endsByItself(rollout.definition.strategy)) {
    const finished = bake({ ...rollout, percent: 100, stepsTaken: steps.length }, nowMs);
    return changed(finished.rollout, [event('stepped', 100, nowMs), ...finished.events]);
  }
  const skipped = isFull ? { ...rollout, stepsTaken: steps.length - 1 } : rollout;
  return take(skipped, step, nowMs);
}

function leave(rollout: Rollout, state: 'aborted' | 'rolled_back', nowMs: number, reason?: string): RolloutChange {
  const left: Rollout = { ...withoutPause(stopClock(rollout, nowMs)), state, percent: 0 };
  return changed(left, [event(state, 0, nowMs, reason)]);
}

function advance(rollout: Rollout, verdict: GuardVerdict, nowMs: number): RolloutChange {
  const { state } = rollout;
  const isUnderWay = state === 'running' || state === 'paused' || state === 'baking';
  if (isUnderWay && verdict === 'unhealthy') return leave(rollout, 'rolled_back', nowMs, 'a guard is unhealthy');
  const { strategy, bakeMs = 0 } = rollout.definition;
  if (state === 'scheduled' && nowMs >= startAt(rollout)) return run(rollout, nowMs);
  if (strategy.kind === 'time_window' && isUnderWay && state !== 'baking' && nowMs >= strategy.endAtMs)
    return complete({ ...rollout, percent: 0 }, nowMs);
  if (state === 'baking' && elapsedAt(rollout, nowMs) >= bakeMs) return complete(rollout, nowMs);
  if (state !== 'running') return changed(rollout, []);
  const step = nextStep(rollout);
  if (step === undefined || elapsedAt(rollout, nowMs) < step.afterMs) return changed(rollout, []);
  // A canary that nobody has called healthy is not expanded.
  if (strategy.kind === 'canary' && rollout.stepsTaken > 0 && verdict !== 'healthy') return changed(rollout, []);
  return take(rollout, step, nowMs);
}

/** What the timetable would give at a moment if `advance` were called just then; never less than now. */
export function percentAt(rollout: Rollout, nowMs: number): number {
  const change = advance(rollout, 'healthy', nowMs);
  return change.rollout.percent;
}

/** When `advance` next has something to do: milliseconds since 1970, or null while only commands change anything. */
export function nextDueMs(rollout: Rollout): number | null {
  const { strategy, bakeMs = 0 } = rollout.definition;
  if (rollout.state === 'scheduled') return startAt(rollout);
  if (rollout.state === 'baking') return (rollout.sinceMs ?? 0) + bakeMs - rollout.elapsedMs;
  if (strategy.kind === 'time_window' && (rollout.state === 'running' || rollout.state === 'paused'))
    return strategy.endAtMs;
  const step = rollout.state === 'running' ? nextStep(rollout) : undefined;
  return step === undefined ? null : (rollout.sinceMs ?? 0) + step.afterMs - rollout.elapsedMs;
}
