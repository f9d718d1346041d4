// @vitest-environment jsdom
import { beforeEach, expect, it } from 'vitest';

import { choose } from '../language/say.svelte';
import { trouble } from './trouble';

beforeEach(() => choose('en'));

const udp = { kind: 'failed', reason: 'udp', at: null, problem: null } as const;

it('tells a Firefox user on the server’s own machine which setting helps', () => {
  expect(trouble(udp, { loopback: true, firefox: true })).toContain('media.peerconnection.ice.loopback');
  expect(trouble(udp, { loopback: false, firefox: true })).toContain('UDP');
  expect(trouble(udp, { loopback: true, firefox: false })).toContain('UDP');
});

it('makes no fuss about the first moments of coming back', () => {
  expect(trouble({ kind: 'connected' })).toBeNull();
  expect(trouble({ kind: 'reconnecting', reason: 'unreachable', at: null, tries: 0 })).toBeNull();
  expect(trouble({ kind: 'reconnecting', reason: 'unreachable', at: 1, tries: 1 })).toContain('lost');
});
