/** Limits of tokens and money on one call: set aside before it is made, corrected by what it used when it has ended. */
import type { RateLimitStore, Reservation, Wish } from '../../ports/rate-limit-store.port.js';
import type { Exchange } from '../exchange.js';
import type { LlmCall, TokenUsage } from './llm-call.js';

/** One limit as it applies to a call. Amounts are whole: tokens, or millionths of the currency. */
export interface Limit {
  readonly counter: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly wish: Wish;
  readonly used: (usage: TokenUsage) => number;
  /** Names of the headers that show it; undefined: it is not shown. */
  readonly headers: readonly [limit: string, remaining: string, reset: string] | undefined;
  readonly kind: 'tokens' | 'budget';
}

interface Held {
  readonly limit: Limit;
  readonly reservation: Reservation;
}

export type Refused = { readonly limit: Limit; readonly reservation: Reservation };

export class Reservations {
  readonly #store: RateLimitStore;
  #held: Held[] = [];
  /** For the headers: the last attempt's. */
  shown: readonly Held[] = [];

  constructor(store: RateLimitStore) {
    this.#store = store;
  }

  /** All of the limits or none. What an attempt before has set aside is given back first. */
  async reserve(limits: readonly Limit[]): Promise<Refused | undefined> {
    await this.release();
    const shown: Held[] = [];
    this.shown = shown;
    for (const limit of limits) {
      const reservation = await this.#store.reserve(limit.counter, limit.wish, limit.limit, limit.windowMs);
      shown.push({ limit, reservation });
      if (reservation.granted > 0) {
        this.#held.push({ limit, reservation });
        continue;
      }
      await this.release();
      return { limit, reservation };
    }
    return undefined;
  }

  async release(): Promise<void> {
    await this.#settle(() => 0);
  }

  /** Without usage nothing was used. */
  async settle(usage: TokenUsage | undefined): Promise<void> {
    await this.#settle((limit) => (usage ? limit.used(usage) : 0));
  }

  async #settle(used: (limit: Limit) => number): Promise<void> {
    const held = this.#held;
    this.#held = [];
    for (const { limit, reservation } of held) {
      const by = Math.ceil(used(limit)) - reservation.granted;
      if (by !== 0) await this.#store.settle(limit.counter, by, reservation.window);
    }
  }
}

/** What is set aside for an answer when nobody says how long it may be, as far as there is so much left. */
const unsaidMaxTokens = 4096;

/** Prompt and answer, in tokens; with an answer of unknown length the prompt must fit and the rest is taken as far as it goes. */
export function tokenWish(call: LlmCall, strategy: string): Wish {
  const prompt = strategy === 'completion_tokens' ? 0 : call.promptTokens;
  if (strategy === 'prompt_tokens') return { least: Math.max(1, prompt), most: Math.max(1, prompt) };
  const isSaid = call.maxTokens > 0 || call.kind === 'openai-embeddings';
  const most = Math.max(1, prompt + (isSaid ? call.maxTokens : unsaidMaxTokens));
  return { least: isSaid ? most : Math.max(1, prompt), most };
}

/** Usage by all the names that providers have for it, before any provider has said it. */
export const usageFields = (input: number, output: number): Readonly<Record<string, number>> => ({
  ...{ prompt_tokens: input, input_tokens: input, completion_tokens: output, output_tokens: output },
  total_tokens: input + output,
});

/** What an expression makes of the estimates; the dearer of a short and a long answer, should it be odd. */
export function expressionWish(call: LlmCall, cost: (usage: Readonly<Record<string, number>>) => number): Wish {
  const isSaid = call.maxTokens > 0 || call.kind === 'openai-embeddings';
  const of = (output: number): number => {
    try {
      return cost(usageFields(call.promptTokens, output));
    } catch {
      // It may divide by what is not known yet.
      return call.promptTokens + output;
    }
  };
  const short = of(0);
  const most = Math.max(1, short, of(isSaid ? call.maxTokens : unsaidMaxTokens));
  return { least: isSaid ? most : Math.max(1, Math.min(short, most)), most };
}

const millionths = (money: number): number => Math.ceil(money * 1e6 - 1e-9);

export function moneyWish(call: LlmCall): Wish {
  const isSaid = call.maxTokens > 0 || call.kind === 'openai-embeddings';
  const cost = (outputTokens: number): number =>
    Math.max(1, millionths(call.costOf({ inputTokens: call.promptTokens, outputTokens, cachedTokens: 0 })));
  const most = cost(isSaid ? call.maxTokens : unsaidMaxTokens);
  return { least: isSaid ? most : cost(0), most };
}

export const moneyUsed = (call: LlmCall, usage: TokenUsage): number => millionths(call.costOf(usage));

/** A day or a month of the calendar, in UTC: its name and what is left of it in milliseconds. */
export function calendarWindow(
  window: 'day' | 'month',
  nowMs: number,
): { readonly name: string; readonly leftMs: number } {
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  const end = window === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1);
  return { name: now.toISOString().slice(0, window === 'day' ? 10 : 7), leftMs: end - nowMs };
}

const key = {};

/** Of this exchange; one plugin's on a route and a consumer's replace each other, so there is one. */
export function reservationsOf(exchange: Exchange, store: RateLimitStore): Reservations {
  const known = exchange.stateOf<Reservations>(key);
  if (known) return known;
  const made = new Reservations(store);
  exchange.keepState(key, made);
  return made;
}
