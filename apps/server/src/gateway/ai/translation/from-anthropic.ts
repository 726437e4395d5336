/** Anthropic messages, as the libraries take them. What cannot be said to another provider is refused, never dropped. */
import type {
  LanguageModelV3CallOptions,
  LanguageModelV3Message,
  LanguageModelV3Prompt,
  LanguageModelV3ToolChoice,
} from '@ai-sdk/provider';
import type { Json } from '../llm-call.js';
import {
  defined,
  functionTool,
  isObject,
  joinedText,
  list,
  numberOf,
  picture,
  text,
  textOf,
  unsupported,
} from './content.js';

export function fromAnthropic(body: Json): LanguageModelV3CallOptions {
  const names = new Map<string, string>();
  const system = joinedText(body['system']);
  const stops = body['stop_sequences'];
  return defined({
    prompt: [
      ...(system === '' ? [] : [{ role: 'system' as const, content: system }]),
      ...list(body['messages']).flatMap((message) => messagesOf(message, names)),
    ] as LanguageModelV3Prompt,
    maxOutputTokens: numberOf(body['max_tokens']),
    temperature: numberOf(body['temperature']),
    topP: numberOf(body['top_p']),
    topK: numberOf(body['top_k']),
    stopSequences: Array.isArray(stops) ? stops.map(textOf) : undefined,
    tools: body['tools'] === undefined ? undefined : list(body['tools']).map(toolOf),
    toolChoice: choiceOf(body['tool_choice']),
  }) as LanguageModelV3CallOptions;
}

function toolOf(tool: Json) {
  if (tool['type'] !== undefined && tool['type'] !== 'custom')
    return unsupported(`A tool of type '${textOf(tool['type'])}'`);
  return functionTool(tool['name'], tool['description'], tool['input_schema']);
}

function choiceOf(choice: unknown): LanguageModelV3ToolChoice | undefined {
  if (!isObject(choice)) return undefined;
  switch (choice['type']) {
    case 'auto':
    case 'none':
      return { type: choice['type'] };
    case 'any':
      return { type: 'required' };
    case 'tool':
      return { type: 'tool', toolName: textOf(choice['name']) };
    default:
      return unsupported('This tool_choice');
  }
}

/** A user's message may hold results of tools, which are messages of their own elsewhere. */
function messagesOf({ role, content }: Json, names: Map<string, string>): readonly LanguageModelV3Message[] {
  const parts = typeof content === 'string' ? [{ type: 'text', text: content }] : list(content);
  if (role === 'assistant') return [{ role, content: parts.map((part) => assistantPart(part, names)) }];
  if (role !== 'user') return unsupported(`A message of the role '${textOf(role)}'`);
  const results = parts.filter((part) => part['type'] === 'tool_result').map((part) => resultOf(part, names));
  const rest = parts.filter((part) => part['type'] !== 'tool_result').map(userPart);
  return [
    ...(results.length > 0 ? [{ role: 'tool' as const, content: results }] : []),
    ...(rest.length > 0 ? [{ role: 'user' as const, content: rest }] : []),
  ];
}

function resultOf(part: Json, names: Map<string, string>) {
  const toolCallId = textOf(part['tool_use_id']);
  const type = part['is_error'] === true ? ('error-text' as const) : ('text' as const);
  const output = { type, value: joinedText(part['content']) };
  return { type: 'tool-result' as const, toolCallId, toolName: names.get(toolCallId) ?? '', output };
}

function userPart(part: Json) {
  if (part['type'] === 'text') return text(textOf(part['text']));
  const source = part['source'];
  if (part['type'] === 'image' && isObject(source))
    return picture(
      source['type'] === 'url'
        ? textOf(source['url'])
        : `data:${textOf(source['media_type'])};base64,${textOf(source['data'])}`,
    );
  return unsupported(`A part of type '${textOf(part['type'])}'`);
}

function assistantPart(part: Json, names: Map<string, string>) {
  if (part['type'] === 'text') return text(textOf(part['text']));
  if (part['type'] === 'tool_use') {
    const toolCallId = textOf(part['id']);
    const toolName = textOf(part['name']);
    names.set(toolCallId, toolName);
    return { type: 'tool-call' as const, toolCallId, toolName, input: part['input'] ?? {} };
  }
  return unsupported(`A part of type '${textOf(part['type'])}'`);
}
