/** Documents as their owners handle them: take in, list, read, label, read again, delete. Every answer is about what the caller may see. */
import { createHash, randomUUID } from 'node:crypto';
import { BailiwickError, type DocumentFilter, type DocumentLabels } from '@bailiwick/contract';
import type { AuditService } from '../audit/audit-service.js';
import type { CatalogDocument, DocumentCatalog } from '../ports/document-catalog.port.js';
import type { Page } from '../ports/policy-archive.port.js';
import { toFilter } from './document-filter.js';
import type { Originals } from './originals.js';
import type { DocumentRequest, Visibility } from './visibility.js';

export interface NewContent {
  /** The file's name, or the last part of its address. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Default: `upload:NAME`. */
  readonly source?: string;
  readonly labels: DocumentLabels;
}

/** `unchanged`: the same content and labels were there already. */
export type TakenIn = {
  readonly outcome: 'created' | 'replaced' | 'unchanged';
  readonly document: CatalogDocument;
};

export interface DocumentServiceParts {
  readonly catalog: DocumentCatalog;
  readonly originals: Originals;
  readonly visibility: Visibility;
  readonly audit: AuditService;
  /** There is work in the catalog. */
  readonly onWork: () => void;
  /** Resolves when searches no longer find what is gone. */
  readonly forget: () => Promise<void>;
  readonly nowMs: () => number;
}

type Content = Pick<CatalogDocument, 'name' | 'sha256'> & {
  readonly bytes: Uint8Array;
  readonly labels: DocumentLabels;
};

const attempts = 5;
const maxNameChars = 255;
const maxSourceChars = 2_000;

export class DocumentService {
  readonly #parts: DocumentServiceParts;

  constructor(parts: DocumentServiceParts) {
    this.#parts = parts;
  }

  /**
   * Durable when it resolves: the file is on disk and its row in the catalog; reading and embedding follow. Errors:
   * `document.name_invalid`, `document.not_yours` (forbidden) for a document the caller would not be allowed to write.
   */
  async takeIn(request: DocumentRequest, content: NewContent): Promise<TakenIn> {
    const name = cleanName(content.name);
    const { bytes } = content;
    if (bytes.length === 0)
      throw new BailiwickError('invalid', { reason: 'document.empty', message: 'The file is empty.' });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const facts = { name, sha256, bytes, labels: content.labels };
    const source = (content.source ?? `upload:${name}`).slice(0, maxSourceChars);
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const existing = await this.#parts.catalog.bySource(request.project, source);
      if (existing && !this.#parts.visibility.maySee(request, existing)) {
        // What he cannot see must not show by a refusal either: he gets a document of his own.
        const own = await this.#create(request, { ...facts, source: `${source}#${randomUUID()}` });
        if (own) return own;
        continue;
      }
      const taken = existing
        ? await this.#replace(request, existing, facts)
        : await this.#create(request, { ...facts, source });
      if (taken) return taken;
    }
    throw contended();
  }

  async get(request: DocumentRequest, id: string): Promise<CatalogDocument> {
    const document = await this.#parts.catalog.get(request.project, id);
    if (!document || !this.#parts.visibility.maySee(request, document))
      throw new BailiwickError('not-found', {
        reason: 'document.not_found',
        message: 'There is no such document, or not for you.',
      });
    return document;
  }

  /** Newest first, of those the caller may see. */
  async list(
    request: DocumentRequest,
    options: { readonly filter?: DocumentFilter; readonly limit: number; readonly cursor?: string },
  ): Promise<Page<CatalogDocument>> {
    const { catalog, visibility } = this.#parts;
    const filter = { op: 'and', filters: [visibility.condition(request), toFilter(options.filter)] } as const;
    const page = await catalog.list(request.project, { ...options, filter });
    return { ...page, items: page.items.filter((document) => visibility.maySee(request, document)) };
  }

  /** New title, tags, groups or metadata; what is left out stays. Searches follow them at once. */
  async label(request: DocumentRequest, id: string, labels: DocumentLabels): Promise<CatalogDocument> {
    return await this.#change(request, id, 'document.label', (document) => {
      const { title = document.title } = labels;
      // The title is part of what is searched and embedded.
      const isRead = title === document.title;
      return { ...document, ...labels, title, ...(isRead ? {} : { state: 'queued', claim: null }) };
    });
  }

  /** Reads the original again. */
  async reindex(request: DocumentRequest, id: string): Promise<CatalogDocument> {
    return await this.#change(request, id, 'document.reindex', (document) => ({
      ...{ ...document, state: 'queued', fault: null, claim: null },
    }));
  }

  /** Gone when it resolves: row, chunks, vectors, the original, and from what is searched; with a record in the audit. */
  async remove(request: DocumentRequest, id: string): Promise<void> {
    const { catalog, originals, audit } = this.#parts;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const document = await this.get(request, id);
      this.#mustBeAllowed(request, document, 'document.delete');
      if ((await catalog.remove(request.project, id, document.version)) === 'outdated') continue;
      await originals.remove(request.project, id);
      await this.#parts.forget();
      await audit.record(this.#facts(request, 'document.delete', document, { after: null }));
      return;
    }
    throw contended();
  }

  /** Of a place where it is gone. Returns whether there was one that the caller may see. */
  async removeSource(request: DocumentRequest, source: string): Promise<boolean> {
    const { catalog, visibility } = this.#parts;
    const document = await catalog.bySource(request.project, source);
    if (!document || !visibility.maySee(request, document)) return false;
    await this.remove(request, document.id);
    return true;
  }

  async #create(request: DocumentRequest, facts: Content & { readonly source: string }): Promise<TakenIn | undefined> {
    const { catalog, originals, audit, nowMs } = this.#parts;
    const { labels, bytes, ...rest } = facts;
    const now = new Date(nowMs()).toISOString();
    const document: CatalogDocument = {
      ...{ ...rest, project: request.project, id: randomUUID(), version: 1, media_type: '', title: labels.title ?? '' },
      size: bytes.length,
      ...{ tags: labels.tags ?? [], groups: labels.groups ?? [], metadata: labels.metadata ?? {} },
      ...{ created_by: request.caller.actor, created_at: now, updated_at: now },
      ...{ state: 'queued', fault: null, generation: 0, chunks: 0, pages: null, notes: [], claim: null },
    };
    this.#mustBeAllowed(request, document, 'document.write');
    await originals.keep(request.project, document.id, document.sha256, bytes);
    if ((await catalog.insert(document)) === 'taken') {
      await originals.remove(request.project, document.id);
      return undefined;
    }
    await audit.record(this.#facts(request, 'document.create', document, { before: null }));
    this.#parts.onWork();
    return { outcome: 'created', document };
  }

  async #replace(request: DocumentRequest, existing: CatalogDocument, facts: Content): Promise<TakenIn | undefined> {
    const { catalog, originals, audit, nowMs } = this.#parts;
    const { labels, bytes, ...rest } = facts;
    const labelled = { ...existing, ...rest, ...labels, size: bytes.length };
    if (existing.sha256 === facts.sha256 && isSame(existing, labelled) && existing.state !== 'failed')
      return { outcome: 'unchanged', document: existing };
    const document: CatalogDocument = {
      ...labelled,
      ...{ version: existing.version + 1, state: 'queued', fault: null, claim: null },
      updated_at: new Date(nowMs()).toISOString(),
    };
    this.#mustBeAllowed(request, existing, 'document.write');
    this.#mustBeAllowed(request, document, 'document.write');
    await originals.keep(request.project, document.id, document.sha256, bytes);
    if ((await catalog.replace(document)) === 'outdated') return undefined;
    // Only now, and only what this write replaced: another upload may have stored its file and not yet named it.
    if (existing.sha256 !== document.sha256)
      await originals.removeContent(request.project, document.id, existing.sha256);
    await audit.record(this.#facts(request, 'document.replace', document, {}));
    this.#parts.onWork();
    return { outcome: 'replaced', document };
  }

  async #change(
    request: DocumentRequest,
    id: string,
    action: string,
    change: (document: CatalogDocument) => CatalogDocument,
  ): Promise<CatalogDocument> {
    const { catalog, audit, nowMs } = this.#parts;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const existing = await this.get(request, id);
      const document: CatalogDocument = {
        ...change(existing),
        version: existing.version + 1,
        updated_at: new Date(nowMs()).toISOString(),
      };
      this.#mustBeAllowed(request, existing, 'document.write');
      this.#mustBeAllowed(request, document, 'document.write');
      if ((await catalog.replace(document)) === 'outdated') continue;
      await audit.record(this.#facts(request, action, document, {}));
      this.#parts.onWork();
      await this.#parts.forget();
      return document;
    }
    throw contended();
  }

  #mustBeAllowed(
    request: DocumentRequest,
    document: CatalogDocument,
    action: 'document.write' | 'document.delete',
  ): void {
    if (this.#parts.visibility.maySee(request, document, action)) return;
    throw new BailiwickError('forbidden', {
      reason: 'document.not_yours',
      message: `The policies do not allow you ${action} on this document, or its \`groups\` would hide it from you.`,
    });
  }

  #facts(
    request: DocumentRequest,
    action: string,
    document: CatalogDocument,
    etags: { readonly before?: null; readonly after?: null },
  ) {
    return {
      ...{ actor: request.caller.actor, action, request_id: request.requestId, client_ip: request.clientIp },
      resource: `/rag/${request.project}/documents/${document.id}`,
      etag_before: etags.before === null ? null : String(document.version - (etags.after === null ? 0 : 1)),
      etag_after: etags.after === null ? null : String(document.version),
      ...{ result: 'success', chain: request.project },
    };
  }
}

function cleanName(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  const clean = last.replace(/\p{C}+/gu, '').trim();
  if (clean === '' || clean === '.' || clean === '..' || clean.length > maxNameChars)
    throw new BailiwickError('invalid', {
      reason: 'document.name_invalid',
      message: `A file needs a name of 1 to ${maxNameChars} characters.`,
    });
  return clean;
}

function isSame(a: CatalogDocument, b: CatalogDocument): boolean {
  const labels = ({ title, tags, groups, metadata }: CatalogDocument): string =>
    JSON.stringify([title, tags, groups, Object.entries(metadata).sort(([x], [y]) => (x < y ? -1 : 1))]);
  return labels(a) === labels(b);
}

const contended = (): BailiwickError =>
  new BailiwickError('conflict', {
    reason: 'document.contended',
    message: 'Others write this document at the same time. Try again.',
  });
