/** Documents and questions: `/rag/{project}/…`. */
import { type Static, Type } from '@sinclair/typebox';

const label = Type.String({ minLength: 1, maxLength: 100 });
const labels = (description: string) => Type.Array(label, { maxItems: 100, uniqueItems: true, description });
const MetadataValue = Type.Union([
  Type.String({ maxLength: 1_000 }),
  Type.Number(),
  Type.Boolean(),
  Type.Array(Type.String({ maxLength: 1_000 }), { maxItems: 100 }),
]);
const metadata = Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_-]{0,62}$' }), MetadataValue, {
  maxProperties: 50,
  description: 'Anything that policies and filters may ask for.',
});
const title = Type.String({ minLength: 1, maxLength: 500 });

/** What the owner of a document says about it. */
export const DocumentLabels = Type.Object(
  {
    title: Type.Optional(title),
    tags: Type.Optional(labels('For filters and policies.')),
    groups: Type.Optional(
      labels('Who may see it at all: callers whose `groups` claim has one of these. Empty: whoever the policy allows.'),
    ),
    metadata: Type.Optional(metadata),
  },
  { $id: 'DocumentLabels', additionalProperties: false },
);
export type DocumentLabels = Static<typeof DocumentLabels>;

/** Documents that are fetched: pages, a Git repository, a folder of the server. */
const referenceLabels = {
  tags: Type.Optional(labels('Of all documents.')),
  groups: Type.Optional(labels('Of all documents.')),
  metadata: Type.Optional(metadata),
};
const exact = { additionalProperties: false };
export const DocumentReference = Type.Union(
  [
    Type.Object(
      {
        kind: Type.Literal('web'),
        urls: Type.Array(Type.String({ minLength: 1, maxLength: 2_000 }), { minItems: 1, maxItems: 1_000 }),
        ...referenceLabels,
      },
      exact,
    ),
    Type.Object(
      {
        kind: Type.Literal('git'),
        url: Type.String({ minLength: 1, maxLength: 2_000 }),
        ref: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Branch or tag.' })),
        ...referenceLabels,
      },
      exact,
    ),
    Type.Object(
      {
        kind: Type.Literal('folder'),
        path: Type.String({ minLength: 1, maxLength: 2_000, description: 'Below a folder that the operator allows.' }),
        ...referenceLabels,
      },
      exact,
    ),
  ],
  { $id: 'DocumentReference' },
);
export type DocumentReference = Static<typeof DocumentReference>;

export const RagDocument = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    title: Type.String(),
    media_type: Type.String(),
    source: Type.String(),
    tags: Type.Array(Type.String()),
    groups: Type.Array(Type.String()),
    metadata,
    size: Type.Integer({ description: 'Bytes of the original.' }),
    sha256: Type.String(),
    state: Type.Union(['queued', 'processing', 'ready', 'failed'].map((state) => Type.Literal(state))),
    fault: Type.Union([Type.Null(), Type.Object({ reason: Type.String(), message: Type.String() })]),
    chunks: Type.Integer(),
    pages: Type.Union([Type.Integer(), Type.Null()]),
    notes: Type.Array(Type.String(), { description: 'What reading left out because no person sees it.' }),
    created_at: Type.String(),
    created_by: Type.String(),
    updated_at: Type.String(),
  },
  { $id: 'RagDocument' },
);
export type RagDocument = Static<typeof RagDocument>;

const scalar = Type.Union([Type.String({ maxLength: 1_000 }), Type.Number(), Type.Boolean()]);
const FieldCondition = Type.Union([
  scalar,
  Type.Array(scalar, { maxItems: 1_000, description: 'One of these.' }),
  Type.Object(
    {
      eq: Type.Optional(scalar),
      ne: Type.Optional(scalar),
      lt: Type.Optional(scalar),
      lte: Type.Optional(scalar),
      gt: Type.Optional(scalar),
      gte: Type.Optional(scalar),
      in: Type.Optional(Type.Array(scalar, { maxItems: 1_000 })),
      prefix: Type.Optional(Type.String({ maxLength: 1_000 })),
      exists: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false, minProperties: 1 },
  ),
]);
/** All conditions must hold. */
export const DocumentFilter = Type.Record(
  Type.String({
    pattern:
      '^(id|name|title|media_type|source|tags|groups|created_by|created_at|updated_at|size|metadata\\.[A-Za-z_][A-Za-z0-9_-]{0,62})$',
  }),
  FieldCondition,
  {
    $id: 'DocumentFilter',
    maxProperties: 50,
    additionalProperties: false,
    description: 'Field → value, list of values, or conditions. For `tags`, `groups` and lists: one of the elements.',
  },
);
export type DocumentFilter = Static<typeof DocumentFilter>;

const query = Type.String({ minLength: 1, maxLength: 4_000 });

export const SearchBody = Type.Object(
  {
    query,
    filter: Type.Optional(DocumentFilter),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 10 })),
    mode: Type.Optional(
      Type.Union([Type.Literal('hybrid'), Type.Literal('text'), Type.Literal('vector')], { default: 'hybrid' }),
    ),
  },
  { $id: 'SearchBody', additionalProperties: false },
);
export type SearchBody = Static<typeof SearchBody>;

export const Passage = Type.Object(
  {
    id: Type.String(),
    document: Type.Object({
      id: Type.String(),
      title: Type.String(),
      name: Type.String(),
      source: Type.String(),
      media_type: Type.String(),
      tags: Type.Array(Type.String()),
      metadata,
    }),
    text: Type.String(),
    headings: Type.Array(Type.String()),
    page: Type.Union([Type.Integer(), Type.Null()]),
    start: Type.Integer({ description: 'Where the text stands in the document, in UTF-16 units.' }),
    end: Type.Integer(),
    score: Type.Number({ description: '0 to 1, higher is better; comparable within one answer only.' }),
    text_score: Type.Union([Type.Number(), Type.Null()], { description: 'BM25; null: not among the best by words.' }),
    vector_score: Type.Union([Type.Number(), Type.Null()], { description: 'Cosine; null: not among the nearest.' }),
  },
  { $id: 'Passage' },
);
export type Passage = Static<typeof Passage>;

const retrieval = Type.Object({
  mode: Type.Union([Type.Literal('hybrid'), Type.Literal('text'), Type.Literal('vector')], {
    description: 'What was really done: `text` where there is no embedding model.',
  }),
  model: Type.Union([Type.String(), Type.Null()]),
  notes: Type.Array(Type.String()),
});

export const SearchAnswer = Type.Object({ items: Type.Array(Passage), retrieval }, { $id: 'SearchAnswer' });
export type SearchAnswer = Static<typeof SearchAnswer>;

export const QueryBody = Type.Object(
  {
    question: query,
    conversation: Type.Optional(
      Type.Array(
        Type.Object(
          {
            role: Type.Union([Type.Literal('user'), Type.Literal('assistant')]),
            content: Type.String({ maxLength: 20_000 }),
          },
          { additionalProperties: false },
        ),
        { maxItems: 50, description: 'What was said before, oldest first.' },
      ),
    ),
    filter: Type.Optional(DocumentFilter),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 20, default: 6, description: 'Passages of the context.' }),
    ),
    stream: Type.Optional(Type.Boolean({ default: false })),
  },
  { $id: 'QueryBody', additionalProperties: false },
);
export type QueryBody = Static<typeof QueryBody>;

export const Citation = Type.Object(
  {
    marker: Type.Integer({ description: 'Stands as [1] in the answer.' }),
    passage: Passage,
    sentence: Type.Union([Type.String(), Type.Null()], {
      description: 'Of an extractive answer: what was taken over.',
    }),
  },
  { $id: 'Citation' },
);
export type Citation = Static<typeof Citation>;

export const QueryAnswer = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    answer: Type.String(),
    kind: Type.Union([Type.Literal('generated'), Type.Literal('extractive'), Type.Literal('none')], {
      description: '`extractive`: sentences of the documents, no language model. `none`: nothing was found.',
    }),
    model: Type.Union([Type.String(), Type.Null()]),
    citations: Type.Array(Citation),
    question: Type.String({ description: 'What was searched for: the question in the light of the conversation.' }),
    retrieval,
    usage: Type.Union([Type.Null(), Type.Object({ input_tokens: Type.Integer(), output_tokens: Type.Integer() })]),
  },
  { $id: 'QueryAnswer' },
);
export type QueryAnswer = Static<typeof QueryAnswer>;

const feedbackMembers = {
  rating: Type.Union([Type.Literal('good'), Type.Literal('bad')]),
  comment: Type.Optional(Type.String({ maxLength: 2_000 })),
  question: Type.Optional(Type.String({ maxLength: 4_000, description: 'Kept only if you send it along.' })),
  passages: Type.Optional(Type.Array(Type.String({ maxLength: 100 }), { maxItems: 20 })),
};
export const FeedbackBody = Type.Object(feedbackMembers, { $id: 'FeedbackBody', additionalProperties: false });
export type FeedbackBody = Static<typeof FeedbackBody>;

export const FeedbackEntry = Type.Object(
  { answer_id: Type.String(), actor: Type.String(), ts: Type.String(), ...feedbackMembers },
  { $id: 'FeedbackEntry' },
);
export type FeedbackEntry = Static<typeof FeedbackEntry>;

export const ReferenceRun = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    state: Type.Union([Type.Literal('running'), Type.Literal('done'), Type.Literal('failed')]),
    created: Type.Integer(),
    replaced: Type.Integer(),
    unchanged: Type.Integer({ description: 'Read, and found to be as before; what was not even read is not counted.' }),
    removed: Type.Integer(),
    failed: Type.Array(Type.Object({ source: Type.String(), reason: Type.String(), message: Type.String() })),
  },
  { $id: 'ReferenceRun' },
);
export type ReferenceRun = Static<typeof ReferenceRun>;
