/** What the gateway itself refuses, in one place. */
import { BailiwickError } from '@bailiwick/contract';

/** `error_msg` beside the problem's members is what APISIX says. */
export const noRoute = (): BailiwickError =>
  new BailiwickError('not-found', {
    reason: 'gateway.no_route',
    message: 'No route of the gateway fits this request.',
    extra: { error_msg: '404 Route Not Found' },
  });

export const badPath = (why: string): BailiwickError =>
  new BailiwickError('invalid', { reason: 'gateway.bad_path', message: `The gateway refuses this address: ${why}.` });

export const badCertificate = (why: string): BailiwickError =>
  new BailiwickError('invalid', {
    reason: 'gateway.client_certificate',
    message: `The gateway refuses this connection: ${why}.`,
  });

export const noUpstream = (): BailiwickError =>
  new BailiwickError('unavailable', {
    reason: 'gateway.no_upstream',
    message: 'This route leads nowhere: it has no upstream and none of its plugins answered.',
  });
