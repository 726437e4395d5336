/** OpenAI responses, as the libraries take them. What cannot be said to another provider, or needs an answer that was kept, is refused. */
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

/** Members that only a service which keeps answers, or has tools of its own, can honour. */
const ofTheService = ['previous_response_id', 'conversation', 'prompt', 'top_logprobs', 'max_tool_calls'] as const;

export function fromResponses(body: Json): LanguageModelV3CallOptions {
  for (const name of ofTheService) if (body[name] !== undefined && body[name] !== null) unsupported(`'${name}'`);
  if (body['background'] === true) unsupported("'background'");
  if (body['truncation'] === 'auto') unsupported("'truncation: auto'");
  const wanted = Array.isArray(body['include']) ? body['include'].map(textOf) : [];
  // Thoughts are not passed on, so there are none to encrypt.
  for (const one of wanted) if (one !== 'reasoning.encrypted_content') unsupported(`'include: ${one}'`);
  const instructions = textOf(body['instructions']);
  return defined({
    prompt: [
      ...(instructions === '' ? [] : [{ role: 'system' as const, content: instructions }]),
      ...promptOf(body['input']),
    ],
    maxOutputTokens: numberOf(body['max_output_tokens']),
    temperature: numberOf(body['temperature']),
    topP: numberOf(body['top_p']),
    responseFormat: formatOf(isObject(body['text']) ? body['text']['format'] : undefined),
    tools: body['tools'] === undefined ? undefined : list(body['tools']).map(toolOf),
    toolChoice: choiceOf(body['tool_choice']),
  }) as LanguageModelV3CallOptions;
}

function promptOf(input: unknown): readonly LanguageModelV3Message[] {
  if (typeof input === 'string') return [{ role: 'user', content: [text(input)] }];
  const names = new Map<string, string>();
  const messages: LanguageModelV3Message[] = [];
  for (const message of list(input).map((item) => messageOf(item, names))) {
    const last = messages.at(-1);
    // Calls of one turn, and their results, are one message each in other formats.
    if (last?.role === 'assistant' && message.role === 'assistant') last.content.push(...message.content);
    else if (last?.role === 'tool' && message.role === 'tool') last.content.push(...message.content);
    else messages.push(message);
  }
  return messages;
}

/** `names`: the tools' names by the ids of their calls, because a result says the id alone. */
function messageOf(item: Json, names: Map<string, string>): LanguageModelV3Message {
  const toolCallId = textOf(item['call_id']);
  switch (item['type'] ?? 'message') {
    case 'message':
      return spoken(item);
    case 'function_call': {
      const toolName = textOf(item['name']);
      names.set(toolCallId, toolName);
      const input = parsedArguments(item['arguments']);
      return { role: 'assistant', content: [{ type: 'tool-call', toolCallId, toolName, input }] };
    }
    case 'function_call_output': {
      const output = { type: 'text' as const, value: joinedText(item['output']) };
      const toolName = names.get(toolCallId) ?? '';
      return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output }] };
    }
    default:
      return unsupported(`An item of type '${textOf(item['type'])}'`);
  }
}

function spoken({ role, content }: Json): LanguageModelV3Message {
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: joinedText(content) };
    case 'user':
      return { role: 'user', content: typeof content === 'string' ? [text(content)] : list(content).map(userPart) };
    case 'assistant':
      return {
        role: 'assistant',
        content: [text(typeof content === 'string' ? content : list(content).map(saidBefore).join(''))],
      };
    default:
      return unsupported(`A message of the role '${textOf(role)}'`);
  }
}

const saidBefore = (part: Json): string => textOf(part['text'] ?? part['refusal']);

function userPart(part: Json) {
  if (part['type'] === 'input_text') return text(textOf(part['text']));
  if (part['type'] === 'input_image' && typeof part['image_url'] === 'string') return picture(part['image_url']);
  return unsupported(`A part of type '${textOf(part['type'])}'`);
}

function toolOf(tool: Json) {
  if (tool['type'] !== 'function') return unsupported(`A tool of type '${textOf(tool['type'])}'`);
  return functionTool(tool['name'], tool['description'], tool['parameters'], tool['strict']);
}

function choiceOf(choice: unknown): LanguageModelV3ToolChoice | undefined {
  if (choice === undefined || choice === null) return undefined;
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { type: choice };
  const name = isObject(choice) && choice['type'] === 'function' ? choice['name'] : undefined;
  return typeof name === 'string' ? { type: 'tool', toolName: name } : unsupported('This tool_choice');
}

function formatOf(format: unknown): LanguageModelV3CallOptions['responseFormat'] {
  if (!isObject(format) || format['type'] === 'text') return undefined;
  return defined({
    type: 'json' as const,
    schema: isObject(format['schema']) ? format['schema'] : undefined,
    name: typeof format['name'] === 'string' ? format['name'] : undefined,
  }) as LanguageModelV3CallOptions['responseFormat'];
}
