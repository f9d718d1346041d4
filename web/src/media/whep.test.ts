import { beforeEach, expect, it, vi } from 'vitest';

import { FakePeer, settled } from '../../tests/given';
import { exposed } from './exposed';
import { Listening } from './whep';

class FakeAudio extends EventTarget {
  srcObject: unknown = null;
  paused = true;
  refusal: Error | null = null;
  played: unknown[] = [];
  setAttribute = vi.fn();
  remove = vi.fn();

  async play() {
    this.played.push(this.srcObject);
    if (this.refusal) throw this.refusal;
    this.paused = false;
  }

  pause() {
    this.paused = true;
    this.dispatchEvent(new Event('pause'));
  }
}

let audio: FakeAudio;
let peers: FakePeer[];
let blocked: boolean[];
let hushed: boolean[];
let firsts: [string, number][];
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

  readonly track = new EventTarget();

  receive(stream: string) {
    this.dispatchEvent(Object.assign(new Event('track'), { streams: [stream], track: this.track }));
  }
}

beforeEach(() => {
  [audio, peers, blocked, hushed, directions, firsts] = [new FakeAudio(), [], [], [], [], []];
  vi.stubGlobal('document', { body: { append: vi.fn() } });
  listening = new Listening({
    roomId: 'r1',
    exchange: async () => ({ answer: '', location: '/c', id: 'c' }),
    hangUp: async () => undefined,
    onState: () => undefined,
    onBlocked: (now) => blocked.push(now),
    onHushed: (now) => hushed.push(now),
    onFirst: (...first) => firsts.push(first),
    makePeer: () => {
      peers.push(new ListeningPeer());
      return (peers[peers.length - 1] as FakePeer).asPeer();
    },
    makeAudio: () => audio as unknown as HTMLAudioElement,
  });
});

it('tells once how long a connection took from the answer to its first packet', async () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(1000);
  listening.start();
  await settled();
  peer(0).receive('sound');
  now.mockReturnValue(1412.4);
  peer(0).track.dispatchEvent(new Event('unmute'));
  peer(0).track.dispatchEvent(new Event('unmute'));
  expect(firsts).toEqual([['c', 412]]);
  listening.stop();
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

it('leaves the exposed connection of another room alone when it ends without one of its own', async () => {
  const sounding = new ListeningPeer().asPeer();
  exposed.listen = sounding;
  listening.stop();
  expect(exposed.listen).toBe(sounding);
  exposed.listen = null;
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

it('is silent from a pause until it is to be heard again, whatever connection comes', async () => {
  listening.start();
  await settled();
  peer(0).receive('program');
  peer(0).become('connected');
  await settled();
  listening.hush();
  expect(hushed).toEqual([true]);
  const before = audio.played.length;
  vi.useFakeTimers();
  listening.link.renew(false);
  await vi.advanceTimersByTimeAsync(0);
  vi.useRealTimers();
  peer(1).receive('new');
  peer(1).become('connected');
  await settled();
  expect(audio.srcObject).toBe('new');
  expect(audio.played).toHaveLength(before);
  await listening.hear();
  expect(audio.played).toHaveLength(before + 1);
  expect(hushed).toEqual([true, false]);
});

it('says so when the phone pauses the sound, and when it lets it go on', async () => {
  listening.start();
  await settled();
  peer(0).receive('program');
  audio.pause();
  expect(hushed).toEqual([]);
  peer(0).become('connected');
  await settled();
  audio.pause();
  expect(hushed).toEqual([true]);
  audio.dispatchEvent(new Event('playing'));
  expect(hushed).toEqual([true, false]);
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
