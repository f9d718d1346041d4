import { beforeEach, expect, it, vi } from 'vitest';

import { FakePeer, settled } from '../../tests/given';
import { exposed } from './exposed';
import { Listening } from './whep';

class FakeAudio {
  srcObject: unknown = null;
  refusal: Error | null = null;
  played: unknown[] = [];
  setAttribute = vi.fn();
  remove = vi.fn();

  async play() {
    this.played.push(this.srcObject);
    if (this.refusal) throw this.refusal;
  }
}

let audio: FakeAudio;
let peers: FakePeer[];
let blocked: boolean[];
let directions: unknown[];
let listening: Listening;

class ListeningPeer extends FakePeer {
  played = 0;

  getReceivers() {
    return [{ getSynchronizationSources: () => (this.played ? [{ rtpTimestamp: this.played }] : []) }];
  }

  override addTransceiver(...given: unknown[]) {
    directions.push(given);
    return super.addTransceiver();
  }

  receive(stream: string) {
    this.dispatchEvent(Object.assign(new Event('track'), { streams: [stream], track: {} }));
  }
}

beforeEach(() => {
  [audio, peers, blocked, directions] = [new FakeAudio(), [], [], []];
  vi.stubGlobal('document', { body: { append: vi.fn() } });
  listening = new Listening({
    roomId: 'r1',
    exchange: async () => ({ answer: '', location: '/c', id: 'c' }),
    hangUp: async () => undefined,
    onState: () => undefined,
    onBlocked: (now) => blocked.push(now),
    makePeer: () => {
      peers.push(new ListeningPeer());
      return (peers[peers.length - 1] as FakePeer).asPeer();
    },
    makeAudio: () => audio as unknown as HTMLAudioElement,
  });
});

const peer = (index: number) => peers[index] as ListeningPeer;

it('receives only, and plays what comes as soon as it comes', async () => {
  listening.start();
  await settled();
  expect(directions).toEqual([['audio', { direction: 'recvonly' }]]);
  peer(0).receive('program');
  await settled();
  expect(audio.played).toEqual([null, 'program']);
  expect(blocked).toEqual([false]);
  expect(exposed.listen).toBe(peer(0).asPeer());
  listening.stop();
  expect(audio.srcObject).toBeNull();
  expect(exposed.listen).toBeNull();
});

it('says when the browser wants a tap first, and plays after it', async () => {
  audio.refusal = new DOMException('', 'NotAllowedError');
  listening.start();
  await settled();
  peer(0).receive('program');
  await settled();
  expect(blocked).toEqual([true]);
  audio.refusal = null;
  await listening.hear();
  expect(blocked).toEqual([true, false]);
});

it('does not take a change of the stream for a refusal', async () => {
  audio.refusal = new DOMException('', 'AbortError');
  listening.start();
  await settled();
  peer(0).receive('program');
  await settled();
  expect(blocked).toEqual([]);
});

it('goes on playing the old stream until the new connection stands', async () => {
  listening.start();
  await settled();
  peer(0).receive('old');
  peer(0).become('connected');
  await settled();
  vi.useFakeTimers();
  listening.link.renew(false);
  await vi.advanceTimersByTimeAsync(0);
  vi.useRealTimers();
  peer(1).receive('new');
  expect(audio.srcObject).toBe('old');
  peer(1).become('connected');
  await settled();
  expect(audio.srcObject).toBe('new');
});

it('connects anew beside a connection that brings nothing any more', async () => {
  vi.useFakeTimers();
  listening.start();
  await settled();
  peer(0).become('connected');
  await settled();
  for (let n = 0; n < 10; n++) {
    peer(0).played += 4800;
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(peers.length).toBe(1);
  await vi.advanceTimersByTimeAsync(600);
  expect(peers.length).toBe(2);
  expect(peer(0).connectionState).toBe('connected');
  listening.stop();
  await vi.advanceTimersByTimeAsync(5000);
  expect(peers.length).toBe(2);
  vi.useRealTimers();
});
