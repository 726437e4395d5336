/** The real servers that tests use, and how to find out whether this machine has them. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { chromiumInstallHint, isChromiumInstalled } from './chromium.js';
import { cosmosInstallHint, isCosmosInstalled } from './cosmos.js';
import { etcdInstallHint, isEtcdInstalled } from './etcd.js';
import { haproxyInstallHint, isHaproxyInstalled } from './haproxy.js';
import { isKeepalivedInstalled, keepalivedInstallHint } from './keepalived.js';
import { isMongoInstalled, mongoInstallHint } from './mongo.js';
import { areNamespacesAvailable, namespacesInstallHint } from './namespaces.js';
import { isOpaInstalled, opaInstallHint } from './opa.js';
import { isPostgresInstalled, postgresInstallHint } from './postgres.js';
import { isChromaInstalled, isPgvectorInstalled, pythonServersInstallHint } from './python-servers.js';
import { isRabbitMqInstalled, rabbitMqInstallHint } from './rabbitmq.js';
import { isRedisInstalled, redisInstallHint } from './redis.js';
import { isVaultInstalled, vaultInstallHint } from './vault.js';

export const serverKinds = {
  etcd: { title: 'etcd v3', isInstalled: isEtcdInstalled, installHint: etcdInstallHint },
  opa: { title: 'Open Policy Agent', isInstalled: isOpaInstalled, installHint: opaInstallHint },
  mongo: { title: 'MongoDB (stand-in)', isInstalled: isMongoInstalled, installHint: mongoInstallHint },
  postgres: { title: 'PostgreSQL', isInstalled: isPostgresInstalled, installHint: postgresInstallHint },
  cosmos: { title: 'Cosmos DB (emulator)', isInstalled: isCosmosInstalled, installHint: cosmosInstallHint },
  pgvector: {
    title: 'PostgreSQL with pgvector',
    isInstalled: isPgvectorInstalled,
    installHint: pythonServersInstallHint,
  },
  chroma: { title: 'Chroma', isInstalled: isChromaInstalled, installHint: pythonServersInstallHint },
  embeddingModel: {
    title: 'the embedding model',
    // Where `defaultModelFolder` of the adapter looks; this file is loaded without our packages.
    isInstalled: () => existsSync(join(homedir(), '.cache/bailiwick/models/all-MiniLM-L6-v2-int8/model.onnx')),
    installHint: 'npx bailiwick rag fetch-model',
  },
  redis: { title: 'Redis', isInstalled: isRedisInstalled, installHint: redisInstallHint },
  rabbitmq: { title: 'RabbitMQ', isInstalled: isRabbitMqInstalled, installHint: rabbitMqInstallHint },
  vault: { title: 'Vault', isInstalled: isVaultInstalled, installHint: vaultInstallHint },
  chromium: { title: 'Chromium', isInstalled: isChromiumInstalled, installHint: chromiumInstallHint },
  haproxy: { title: 'HAProxy', isInstalled: isHaproxyInstalled, installHint: haproxyInstallHint },
  keepalived: { title: 'Keepalived', isInstalled: isKeepalivedInstalled, installHint: keepalivedInstallHint },
  namespaces: { title: 'network namespaces', isInstalled: areNamespacesAvailable, installHint: namespacesInstallHint },
} as const;

export type ServerKind = keyof typeof serverKinds;

/** Continuous integration must have them all. */
export const areAllRequired = (): boolean => process.env['CI'] === 'true';
