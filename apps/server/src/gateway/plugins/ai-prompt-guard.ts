/**
 * `ai-prompt-guard`: refuses prompts by patterns of the linear-time engine. By `plugin_metadata` also: a preset against prompt injection, and
 * personal data replaced by marks in what goes to the provider and in what comes back, streams too.
 */
import { compileRegex } from '@bailiwick/rego';
import { type Static, Type } from '@sinclair/typebox';
import { redactedAnswer, redactedCall } from '../ai/answer-texts.js';
import { failMode, whenUnreadable } from '../ai/fail-mode.js';
import { injectionPatterns, squeezedPatterns } from '../ai/injection-patterns.js';
import { redactWhole } from '../ai/json-redactor.js';
import type { LlmCall } from '../ai/llm-call.js';
import { spokenIn } from '../ai/messages.js';
import { personalDataKinds, Redactor } from '../ai/personal-data.js';
import { plainForms } from '../ai/plain-forms.js';
import { readCall } from '../ai/read-call.js';
import { EventRedactor } from '../ai/stream-texts.js';
import type { Exchange } from '../exchange.js';
import type { Outcome, Plugin, PluginHooks } from '../plugin.js';
import { closed, oneOf } from '../resource-schemas.js';

const patterns = Type.Array(Type.String(), { default: [] });

const schema = Type.Object(
  {
    allow_patterns: patterns,
    deny_patterns: patterns,
    match_all_roles: Type.Boolean({ default: false }),
    match_all_conversation_history: Type.Boolean({ default: false }),
    /** What becomes of a body that is none of the formats. */
    fail_mode: failMode,
    max_req_body_size: Type.Integer({ minimum: 1, default: 67_108_864 }),
  },
  closed,
);

const metadataSchema = Type.Object(
  {
    presets: Type.Optional(Type.Array(oneOf(['prompt-injection']))),
    redact: Type.Optional(
      Type.Object(
        {
          kinds: Type.Optional(Type.Array(oneOf(personalDataKinds))),
          patterns: Type.Optional(
            Type.Array(
              Type.Object(
                { name: Type.String({ pattern: '^[a-z][a-z0-9_]*$' }), pattern: Type.String({ minLength: 1 }) },
                closed,
              ),
            ),
          ),
          requests: Type.Optional(Type.Boolean()),
          answers: Type.Optional(Type.Boolean()),
        },
        closed,
      ),
    ),
  },
  closed,
);

type Configuration = Static<typeof schema>;
type Metadata = Static<typeof metadataSchema>;

const refuse = (message: string): Outcome => ({ status: 400, body: { message } });

export const aiPromptGuard: Plugin<Configuration> = {
  name: 'ai-prompt-guard',
  priority: 1072,
  schema,
  metadataSchema,
  check: ({ allow_patterns: allow, deny_patterns: deny }) => {
    for (const pattern of [...allow, ...deny]) {
      try {
        compileRegex(pattern);
      } catch (error) {
        return `'${pattern}' is no pattern: ${error instanceof Error ? error.message : String(error)}`;
      }
    }
    return undefined;
  },
  compile: (configuration, scope) => {
    const { presets, redact } = scope.metadata as Metadata;
    const judge = judgeOf(configuration, presets?.includes('prompt-injection') === true);
    const redactor = redact && new Redactor(redact.kinds ?? personalDataKinds, redact.patterns);
    return {
      access: async (exchange) => {
        if (!exchange.hasBody) return refuse('Empty request body');
        let call: LlmCall;
        try {
          call = await readCall(exchange, configuration.max_req_body_size);
        } catch (error) {
          const { reason } = (error as { readonly details?: { readonly reason?: string } }).details ?? {};
          if (reason !== 'llm.unknown_format' && reason !== 'llm.bad_body') throw error;
          return whenUnreadable(configuration.fail_mode, 'ai-prompt-guard', exchange, scope.logger);
        }
        const refused = judge(call);
        if (refused) return refused;
        if (redactor && redact?.requests !== false) redactRequest(exchange, call, redactor);
        return undefined;
      },
      ...(redactor && redact?.answers !== false ? answerHooks(redactor) : {}),
    };
  },
};

function judgeOf(configuration: Configuration, guardsInjection: boolean): (call: LlmCall) => Outcome {
  const allow = configuration.allow_patterns.map((pattern) => compileRegex(pattern));
  const deny = configuration.deny_patterns.map((pattern) => compileRegex(pattern));
  const isInjection = guardsInjection ? injectionGuard() : () => false;
  return (call) => {
    const spoken = spokenIn(call).filter(({ role }) => configuration.match_all_roles || role === 'user');
    const looked = configuration.match_all_conversation_history ? spoken : spoken.slice(-1);
    const text = looked.map((one) => one.text).join(' ');
    if (allow.length > 0 && !allow.some((regex) => regex.test(text)))
      return refuse("Request doesn't match allow patterns");
    if (deny.some((regex) => regex.test(text))) return refuse('Request contains prohibited content');
    // Injections hide in what tools and documents say, too.
    const outside = spokenIn(call).filter(({ role }) => role === 'user' || role === 'tool');
    return outside.some((one) => isInjection(one.text)) ? refuse('Request contains prohibited content') : undefined;
  };
}

/** Whether a text says what attacks on prompts say, in any of its forms. */
export function injectionGuard(): (text: string) => boolean {
  const compile = (patterns: readonly string[]) => patterns.map((pattern) => compileRegex(`(?i)${pattern}`));
  const [compiled, squeezed] = [compile(injectionPatterns), compile(squeezedPatterns)];
  return (text) =>
    plainForms(text).some((form) => {
      if (compiled.some((regex) => regex.test(form))) return true;
      const letters = form.replace(/[^\p{L}\p{N}]+/gu, '');
      return squeezed.some((regex) => regex.test(letters));
    });
}

function redactRequest(exchange: Exchange, call: LlmCall, redactor: Redactor): void {
  const body = redactedCall(call.body, redactor);
  if (body === call.body) return;
  call.change(body);
  exchange.replaceBody(Buffer.from(JSON.stringify(body)));
}

/** Answers that stream are held back as far as a match could reach; others are looked through as a whole. */
function answerHooks(redactor: Redactor): Pick<PluginHooks, 'headerFilter' | 'bodyFilter'> {
  const key = {};
  interface Kept {
    readonly events: EventRedactor | undefined;
    readonly chunks: Buffer[];
  }
  return {
    headerFilter: (exchange, head) => {
      if (!exchange.llm || head.status >= 300) return;
      const type = head.get('content-type')?.toLowerCase() ?? '';
      head.remove('content-length');
      exchange.keepState(key, {
        events: type.startsWith('text/event-stream') ? new EventRedactor(redactor) : undefined,
        chunks: [],
      } satisfies Kept);
    },
    bodyFilter: (exchange, chunk, isLast) => {
      const kept = exchange.stateOf<Kept>(key);
      if (!kept) return chunk;
      if (kept.events) {
        const ready = chunk.length > 0 ? kept.events.push(chunk) : chunk;
        return isLast ? Buffer.concat([ready, kept.events.flush()]) : ready;
      }
      kept.chunks.push(chunk);
      return isLast ? redactedJson(Buffer.concat(kept.chunks), redactor) : Buffer.alloc(0);
    },
  };
}

function redactedJson(bytes: Buffer, redactor: Redactor): Buffer {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return Buffer.from(redactWhole(redactor, bytes.toString('utf8')));
  }
  const next = redactedAnswer(value, redactor);
  return next === value ? bytes : Buffer.from(JSON.stringify(next));
}
