/** Bulk import and export, snapshots, reports. */
import { type Static, Type } from '@sinclair/typebox';
import { configKeyPattern, resourceMembers, scopeNamePattern } from './configs.js';

const nullableScope = Type.Optional(Type.Union([Type.String({ pattern: scopeNamePattern }), Type.Null()]));

export const exchangeFormats = ['json', 'yaml', 'env', 'flagd', 'unleash'] as const;
export const ExchangeFormat = Type.Union(
  exchangeFormats.map((format) => Type.Literal(format)),
  { $id: 'ExchangeFormat' },
);
export type ExchangeFormat = (typeof exchangeFormats)[number];

export const ImportRequest = Type.Object(
  {
    format: ExchangeFormat,
    content: Type.Union([Type.String(), Type.Object({}, { additionalProperties: true })], {
      description: 'The text of the file, or for the JSON formats the document itself.',
    }),
    app_id: nullableScope,
    environment: nullableScope,
    mode: Type.Optional(
      Type.Union([Type.Literal('merge'), Type.Literal('replace')], {
        default: 'merge',
        description:
          '`replace` also deletes what is in the scope and not in the file, of the kinds that are in the file.',
      }),
    ),
    dry_run: Type.Optional(Type.Boolean({ default: false, description: 'Check everything, write nothing.' })),
  },
  { $id: 'ImportRequest', additionalProperties: false },
);
export type ImportRequest = Static<typeof ImportRequest>;

export const ImportReport = Type.Object(
  {
    dry_run: Type.Boolean(),
    revision: Type.Integer(),
    created: Type.Array(Type.String({ description: '`config a.b`' })),
    updated: Type.Array(Type.String()),
    deleted: Type.Array(Type.String()),
    unchanged: Type.Integer(),
    warnings: Type.Optional(Type.Readonly(Type.Array(Type.String()))),
  },
  { $id: 'ImportReport' },
);
export type ImportReport = Static<typeof ImportReport>;

export const SnapshotBody = Type.Object(
  { description: Type.Optional(Type.String({ maxLength: 2_000 })) },
  { $id: 'SnapshotBody', additionalProperties: false },
);
export const NewSnapshot = Type.Object(
  {
    key: Type.String({ pattern: configKeyPattern, description: 'Its name.' }),
    app_id: nullableScope,
    environment: nullableScope,
    description: Type.Optional(Type.String({ maxLength: 2_000 })),
  },
  { $id: 'NewSnapshot', additionalProperties: false },
);
export const Snapshot = Type.Object(
  {
    ...resourceMembers,
    description: Type.Optional(Type.String()),
    of_revision: Type.Integer({ description: 'What it brings back: everything in its scope as of this revision.' }),
  },
  { $id: 'Snapshot' },
);

export const ReportQuery = Type.Object({
  actor: Type.Optional(Type.String()),
  action: Type.Optional(Type.String()),
  resource: Type.Optional(Type.String()),
  app_id: Type.Optional(Type.String()),
  environment: Type.Optional(Type.String()),
  from: Type.Optional(Type.String({ format: 'date-time', description: 'Inclusive.' })),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'Exclusive.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1_000 })),
  cursor: Type.Optional(Type.String({ maxLength: 512 })),
  format: Type.Optional(Type.Union([Type.Literal('json'), Type.Literal('csv')], { default: 'json' })),
});
export type ReportQuery = Static<typeof ReportQuery>;

export const ReportEntry = Type.Object(
  {
    ts: Type.String({ format: 'date-time' }),
    actor: Type.String(),
    action: Type.String(),
    resource: Type.String(),
    app_id: Type.Union([Type.String(), Type.Null()]),
    environment: Type.Union([Type.String(), Type.Null()]),
    revision: Type.Integer(),
    etag_before: Type.Union([Type.String(), Type.Null()]),
    etag_after: Type.Union([Type.String(), Type.Null()]),
    result: Type.String(),
    request_id: Type.String(),
    client_ip: Type.String(),
    audit_id: Type.String({ description: 'The record in the sealed audit trail.' }),
  },
  { $id: 'ReportEntry' },
);
export type ReportEntry = Static<typeof ReportEntry>;
