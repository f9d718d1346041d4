import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { FakePeer, settled } from '../../tests/given';
import type { Connection } from '../protocol/api';
import { Problem, Unreachable } from '../protocol/problem';
import { CLOSED_PATIENCE_MS, ICE_PATIENCE_MS, Link, type LinkOptions, type LinkState } from './link';

let peers: FakePeer[];
let states: LinkState[];
let carried: (RTCPeerConnection | null)[];
let hungUp: string[];
let refusals: Error[];
let link: Link;

function make(given: Partial<LinkOptions> = {}) {
  let posts = 0;
  link = new Link({
    prepare: () => undefined,
    exchange: async (): Promise<Connection> => {
      const refusal = refusals.shift();
      if (refusal) throw refusal;
      const id = `c${++posts}`;
      return { answer: 'an answer', location: `/whep/${id}`, id };
    },
    hangUp: async (location) => void hungUp.push(location),
    onState: (state) => states.push(state),
    onPeer: (peer) => carried.push(peer),
    makePeer: () => {
      const peer = new FakePeer();
      peers.push(peer);
      return peer.asPeer();
    },
    random: () => 1,
    ...given,
  });
  return link;
}

const last = () => states[states.length - 1];
const peer = (index: number) => peers[index] as FakePeer;

async function connectedLink(given: Partial<LinkOptions> = {}) {
  make(given).start();
  await settled();
  peer(0).become('connected');
  await settled();
  expect(last()).toEqual({ kind: 'connected' });
}

beforeEach(() => {
  vi.useFakeTimers();
  [peers, states, carried, hungUp, refusals] = [[], [], [], [], []];
});

afterEach(() => {
  link.stop();
  vi.useRealTimers();
});

describe('Link', () => {
  it('connects with one POST and hangs up when it stops', async () => {
    await connectedLink();
    expect(states.map((one) => one.kind)).toEqual(['connecting', 'connected']);
    expect(link.location).toBe('/whep/c1');
    link.stop();
    expect(link.location).toBeNull();
    expect(hungUp).toEqual(['/whep/c1']);
    expect(peer(0).connectionState).toBe('closed');
    expect(last()).toEqual({ kind: 'idle' });
    expect(carried[carried.length - 1]).toBeNull();
  });

  it('keeps the old connection until the new one works', async () => {
    await connectedLink();
    link.renew(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(peer(0).connectionState).toBe('connected');
    expect(last()).toEqual({ kind: 'connected' });
    peer(1).become('connected');
    await settled();
    expect(peer(0).connectionState).toBe('closed');
    expect(hungUp).toEqual(['/whep/c1']);
    expect(carried[carried.length - 1]).toBe(peer(1).asPeer());
  });

  it('comes back at once when ICE loses the way, and lets be when ICE finds it again first', async () => {
    await connectedLink();
    peer(0).become('disconnected');
    await settled();
    expect(last()).toMatchObject({ kind: 'reconnecting' });
    expect(peers).toHaveLength(2);
    peer(0).become('connected');
    expect(last()).toEqual({ kind: 'connected' });
    expect(peer(1).connectionState).toBe('closed');
  });

  it('knows the connections that a reconnect event names, and waits the time it gives', async () => {
    await connectedLink();
    expect(link.isNamed(['x', 'c1'])).toBe(true);
    expect(link.isNamed(['x'])).toBe(false);
    link.renew(true, 300);
    expect(last()).toMatchObject({ kind: 'reconnecting', at: null });
    await vi.advanceTimersByTimeAsync(299);
    expect(peers).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    peer(1).become('connected');
    await settled();
    expect(last()).toEqual({ kind: 'connected' });
  });

  it('backs off while the server is away', async () => {
    refusals = [new Unreachable(), new Unreachable(), new Problem(503, 'not_ready', '', [], 4000)];
    make().start();
    for (const wait of [500, 1000, 6000]) {
      await settled();
      expect(last()).toMatchObject({ kind: 'reconnecting', reason: 'unreachable', at: Date.now() + wait });
      await vi.advanceTimersByTimeAsync(wait);
    }
    peers[3]?.become('connected');
    await settled();
    expect(last()).toEqual({ kind: 'connected' });
  });

  it('waits as long as a full server says, spread over half as long again, and then tries anew', async () => {
    for (const [random, wait] of [
      [0, 4000],
      [0.5, 5000],
      [1, 6000],
    ] as const) {
      [peers, states, refusals] = [[], [], [new Problem(503, 'full', '', [], 4000)]];
      make({ random: () => random }).start();
      await settled();
      expect(last()).toMatchObject({ kind: 'reconnecting', reason: 'full', at: Date.now() + wait });
      await vi.advanceTimersByTimeAsync(wait - 1);
      expect(peers).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(1);
      peer(1).become('connected');
      await settled();
      expect(last()).toEqual({ kind: 'connected' });
      link.stop();
    }
  });

  it('comes at once when the server is known to answer again', async () => {
    refusals = [new Unreachable()];
    make().start();
    await settled();
    link.retryNow();
    await settled();
    peer(1).become('connected');
    await settled();
    expect(last()).toEqual({ kind: 'connected' });
  });

  it('says that UDP does not pass after ten seconds, and goes on trying', async () => {
    make().start();
    await vi.advanceTimersByTimeAsync(ICE_PATIENCE_MS);
    expect(last()).toMatchObject({ kind: 'failed', reason: 'udp' });
    await vi.advanceTimersByTimeAsync(8000);
    expect(last()).toMatchObject({ kind: 'failed' });
    peer(1).become('connected');
    await settled();
    expect(last()).toEqual({ kind: 'connected' });
  });

  it('takes no for an answer', async () => {
    refusals = [new Problem(403, 'removed', 'out')];
    make().start();
    await settled();
    expect(last()).toMatchObject({
      kind: 'failed',
      reason: 'refused',
      at: null,
      problem: { code: 'removed' },
    });
    link.renew(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(peers).toHaveLength(1);
  });

  it('hangs up a connection that was answered after one had stopped', async () => {
    make().start();
    await Promise.resolve();
    link.stop();
    await settled();
    expect(hungUp.length).toBeLessThanOrEqual(1);
    expect(peers.every((one) => one.connectionState === 'closed')).toBe(true);
  });

  it('does not take the floor back from oneself on another device', async () => {
    await connectedLink({ isElsewhere: () => true });
    peer(0).closeByServer();
    expect(last()).toMatchObject({ kind: 'reconnecting' });
    await vi.advanceTimersByTimeAsync(CLOSED_PATIENCE_MS);
    expect(last()).toMatchObject({ kind: 'failed', reason: 'elsewhere' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(peers).toHaveLength(1);
    link.start();
    await settled();
    expect(peers).toHaveLength(2);
  });

  it('comes at once after a close in good order when the server answers anew: it was restarted', async () => {
    await connectedLink({ isElsewhere: () => true });
    peer(0).closeByServer();
    await vi.advanceTimersByTimeAsync(1000);
    expect(peers).toHaveLength(1);
    link.retryNow();
    await settled();
    peer(1).become('connected');
    await vi.advanceTimersByTimeAsync(CLOSED_PATIENCE_MS);
    expect(last()).toEqual({ kind: 'connected' });
    expect(peers).toHaveLength(2);
  });

  it('comes back after a close in good order when a reconnect follows', async () => {
    await connectedLink({ isElsewhere: () => true });
    peer(0).closeByServer();
    link.renew(true, 200);
    await vi.advanceTimersByTimeAsync(200);
    peer(1).become('connected');
    await vi.advanceTimersByTimeAsync(CLOSED_PATIENCE_MS);
    expect(last()).toEqual({ kind: 'connected' });
  });

  it('says so when the browser cannot', async () => {
    make({
      makePeer: () => {
        throw new ReferenceError('RTCPeerConnection');
      },
    }).start();
    expect(last()).toMatchObject({ kind: 'failed', reason: 'browser' });
  });
});
