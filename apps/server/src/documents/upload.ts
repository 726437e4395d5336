/** A multipart upload: one file, and its labels as fields beside it: `title`, `tags` and `groups` (repeated or a JSON list), `metadata` (JSON), `source`. */

import { BailiwickError, DocumentLabels } from '@bailiwick/contract';
import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import Ajv from 'ajv';
import type { FastifyRequest } from 'fastify';
import { parseStrictJson } from '../http/strict-json.js';
import type { NewContent } from './document-service.js';

const isLabels = new Ajv.default({ strict: false, allErrors: false }).compile(DocumentLabels);
const maxJsonDepth = 4;

const invalid = (message: string): BailiwickError =>
  new BailiwickError('invalid', { reason: 'document.upload_invalid', message });

/** Errors: `document.upload_invalid`; `document.too_large` when the file is larger than allowed, before all of it has been read. */
export async function readUpload(request: FastifyRequest, maxBytes: number): Promise<NewContent> {
  if (!request.isMultipart()) throw invalid('Send the file as multipart/form-data, in the field `file`.');
  const fields: [string, string][] = [];
  let file: { readonly name: string; readonly bytes: Uint8Array } | undefined;
  try {
    for await (const part of request.parts({
      limits: { files: 1, fileSize: maxBytes, fields: 250, fieldSize: 65_536 },
    })) {
      if (part.type === 'file') file = { name: part.filename, bytes: await bytesOf(part, maxBytes) };
      else fields.push([part.fieldname, textOf(part)]);
    }
  } catch (error) {
    if (error instanceof BailiwickError) throw error;
    throw invalid(`The upload cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!file) throw invalid('There is no file in the upload: send it in the field `file`.');
  const source = fields.find(([name]) => name === 'source')?.[1];
  return { ...file, ...(source === undefined ? {} : { source: `upload:${source}` }), labels: labelsOf(fields) };
}

async function bytesOf(part: MultipartFile, maxBytes: number): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  for await (const piece of part.file) pieces.push(piece as Buffer);
  if (part.file.truncated)
    throw new BailiwickError('too-large', {
      reason: 'document.too_large',
      message: `A file may have ${maxBytes} bytes.`,
      extra: { limit: maxBytes },
    });
  return Buffer.concat(pieces);
}

function textOf(part: MultipartValue): string {
  if (typeof part.value !== 'string') throw invalid(`The field ${part.fieldname} is not text.`);
  return part.value;
}

function labelsOf(fields: readonly (readonly [string, string])[]): DocumentLabels {
  const labels: Record<string, unknown> = {};
  for (const [name, value] of fields) {
    if (name === 'source') continue;
    if (name === 'title') labels['title'] = value;
    else if (name === 'metadata') labels['metadata'] = jsonOf(name, value);
    else if (name === 'tags' || name === 'groups') {
      const before = (labels[name] as unknown[] | undefined) ?? [];
      const more = value.startsWith('[') ? jsonOf(name, value) : [value];
      labels[name] = Array.isArray(more) ? [...before, ...more] : more;
    } else throw invalid(`The field ${name} is not known. Known are file, title, tags, groups, metadata and source.`);
  }
  if (!isLabels(labels)) {
    const [error] = isLabels.errors ?? [];
    throw invalid(`The labels are not right: ${error?.instancePath ?? ''} ${error?.message ?? ''}`);
  }
  return labels;
}

function jsonOf(name: string, text: string): unknown {
  try {
    return parseStrictJson(Buffer.from(text), { maxDepth: maxJsonDepth, onBigNumber: Number });
  } catch {
    throw invalid(`The field ${name} is not JSON.`);
  }
}
