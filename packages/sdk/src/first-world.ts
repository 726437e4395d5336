/** What a client begins with before the server was heard: what an earlier run kept, and what was shipped. */
import { verifyBootstrap } from './bootstrap.js';
import { messageOf } from './evaluate.js';
import { type EvaluationContext, isSameJson } from './json.js';
import type { ResolvedOptions } from './options.js';
import { RemoteWorld } from './remote-source.js';
import { worldOf } from './storage.js';
import { LocalWorld, type World } from './world.js';

type OnFailure = (error: unknown) => void;

/** Undefined when there is none that can be used; never rejects. */
export async function storedWorld(
  options: ResolvedOptions,
  context: EvaluationContext,
  onFailure: OnFailure,
): Promise<World | undefined> {
  const { storage, url, appId, environment, storageMaxAgeMs: maxAgeMs, clocks, evaluation } = options;
  try {
    const text = await storage?.read();
    if (text === undefined) return undefined;
    const world = worldOf(text, { url, appId, environment, maxAgeMs, nowMs: clocks.wallMs() });
    if (world instanceof RemoteWorld && !isSameJson(world.answers.context, context)) return undefined;
    return evaluation === 'remote' && world instanceof LocalWorld ? undefined : world;
  } catch (error) {
    onFailure(new Error(`what was kept cannot be used: ${messageOf(error)}`, { cause: error }));
    return undefined;
  }
}

/** Undefined when there is none, or none that is rightly signed; never rejects. */
export async function shippedWorld(options: ResolvedOptions, onFailure: OnFailure): Promise<World | undefined> {
  const { bootstrap, bootstrapPublicKey } = options;
  if (bootstrap === undefined || bootstrapPublicKey === undefined) return undefined;
  try {
    const signed = typeof bootstrap === 'function' ? await bootstrap() : bootstrap;
    return new LocalWorld(await verifyBootstrap(signed, bootstrapPublicKey), 'bootstrap');
  } catch (error) {
    onFailure(error);
    return undefined;
  }
}
