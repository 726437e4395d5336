/** Requests that two readers could read differently, raw: whatever the gateway makes of one, the upstream sees exactly that and nothing more. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedGateway } from '../../conformance/gateway/targets.js';
import { type StrictUpstream, startStrictUpstream } from './raw-http.js';
import { findDesyncs, smugglingCases } from './smuggling-cases.js';

let upstream: StrictUpstream;
let gateway: Awaited<ReturnType<typeof embeddedGateway>>;
let port = 0;
beforeAll(async () => {
  upstream = await startStrictUpstream();
  gateway = await embeddedGateway();
  port = Number(new URL(gateway.url).port);
  await gateway.apply(
    `routes: [{id: a, uri: /*, upstream: {type: roundrobin, nodes: {"127.0.0.1:${upstream.port}": 1}}}]\n#END\n`,
  );
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

describe(`${smugglingCases.length} raw requests that readers could disagree about`, () => {
  it('never bring the gateway and its upstream out of step', async () => {
    const { desyncs, reached } = await findDesyncs(port, upstream);
    expect(desyncs).toEqual([]);
    expect(smugglingCases.length).toBeGreaterThanOrEqual(100);
    // Not everything is refused: the rest would be no test.
    expect(reached).toBeGreaterThanOrEqual(20);
    console.log(
      `${smugglingCases.length} smuggling cases through the gateway: ${reached} reached the upstream, ${desyncs.length} desyncs`,
    );
  }, 60_000);
});
