/** OpenAI chat completions, as the libraries take them. What cannot be said to another provider is refused, never dropped. */
import type { LanguageModelV3CallOptions, LanguageModelV3Message, LanguageModelV3ToolChoice } from '@ai-sdk/provider';
import type { Json } from '../llm-call.js';
import {
  defined,
  functionTool,
  isObject,
  joinedText,
  list,
  numberOf,
  parsedArguments,
  picture,
  text,
  textOf,
  unsupported,
} from './content.js';

export function fromChat(body: Json): LanguageModelV3CallOptions {
  if (numberOf(body['n']) !== undefined && body['n'] !== 1) unsupported('n above 1');
  if (body['logprobs'] === true) unsupported('logprobs');
  if (body['functions'] !== undefined) unsupported('functions (use tools)');
  const names = new Map<string, string>();
  const { stop } = body;
  return defined({
    prompt: list(body['messages']).map((message) => messageOf(message, names)),
    maxOutputTokens: numberOf(body['max_completion_tokens']) ?? numberOf(body['max_tokens']),
    temperature: numberOf(body['temperature']),
    topP: numberOf(body['top_p']),
    presencePenalty: numberOf(body['presence_penalty']),
    frequencyPenalty: numberOf(body['frequency_penalty']),
    seed: numberOf(body['seed']),
    stopSequences: typeof stop === 'string' ? [stop] : Array.isArray(stop) ? stop.map(textOf) : undefined,
    responseFormat: formatOf(body['response_format']),
    tools: body['tools'] === undefined ? undefined : list(body['tools']).map(toolOf),
    toolChoice: choiceOf(body['tool_choice']),
  }) as LanguageModelV3CallOptions;
}

function toolOf(tool: Json) {
  const own = tool['function'];
  if (tool['type'] !== 'function' || !isObject(own)) return unsupported(`A tool of type '${textOf(tool['type'])}'`);
  return functionTool(own['name'], own['description'], own['parameters'], own['strict']);
}

function choiceOf(choice: unknown): LanguageModelV3ToolChoice | undefined {
  if (choice === undefined || choice === null) return undefined;
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { type: choice };
  const named = isObject(choice) && isObject(choice['function']) ? choice['function']['name'] : undefined;
  return typeof named === 'string' ? { type: 'tool', toolName: named } : unsupported('This tool_choice');
}

function formatOf(format: unknown): LanguageModelV3CallOptions['responseFormat'] {
  if (!isObject(format) || format['type'] === 'text') return undefined;
  const own = format['json_schema'];
  if (!isObject(own)) return { type: 'json' };
  return defined({
    type: 'json' as const,
    schema: isObject(own['schema']) ? own['schema'] : undefined,
    name: typeof own['name'] === 'string' ? own['name'] : undefined,
  }) as LanguageModelV3CallOptions['responseFormat'];
}

/** `names`: the tools' names by the ids of their calls, because a result says the id alone. */
function messageOf(message: Json, names: Map<string, string>): LanguageModelV3Message {
  const { role, content } = message;
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: joinedText(content) };
    case 'user':
      return { role: 'user', content: typeof content === 'string' ? [text(content)] : list(content).map(userPart) };
    case 'assistant':
      return {
        role: 'assistant',
        content: [...assistantText(content), ...list(message['tool_calls']).map((one) => callOf(one, names))],
      };
    case 'tool': {
      const toolCallId = textOf(message['tool_call_id']);
      const output = { type: 'text' as const, value: joinedText(content) };
      return {
        role: 'tool',
        content: [{ type: 'tool-result', toolCallId, toolName: names.get(toolCallId) ?? '', output }],
      };
    }
    default:
      return unsupported(`A message of the role '${textOf(role)}'`);
  }
}

const assistantText = (content: unknown) => {
  const joined = joinedText(content);
  return joined === '' ? [] : [text(joined)];
};

function userPart(part: Json) {
  if (part['type'] === 'text') return text(textOf(part['text']));
  const image = part['image_url'];
  if (part['type'] === 'image_url' && isObject(image)) return picture(textOf(image['url']));
  return unsupported(`A part of type '${textOf(part['type'])}'`);
}

function callOf(call: Json, names: Map<string, string>) {
  const own = isObject(call['function']) ? call['function'] : {};
  const toolCallId = textOf(call['id']);
  const toolName = textOf(own['name']);
  names.set(toolCallId, toolName);
  return { type: 'tool-call' as const, toolCallId, toolName, input: parsedArguments(own['arguments']) };
}
