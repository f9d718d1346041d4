import { afterEach, expect, it, vi } from 'vitest';

import { FakePeer, settled } from '../../tests/given';
import { Speaking } from './whip';

const codecs = ['audio/opus', 'audio/red', 'audio/PCMU', 'audio/opus'].map((mimeType) => ({ mimeType }));

function speaking(choose: (wanted: { mimeType: string }[]) => void) {
  vi.stubGlobal('RTCRtpSender', { getCapabilities: () => ({ codecs }) });
  const given: unknown[] = [];
  const replaced: unknown[] = [];
  class SpeakingPeer extends FakePeer {
    override addTransceiver(...all: unknown[]) {
      given.push(all);
      const sender = { ...this.sender, replaceTrack: async (track: unknown) => void replaced.push(track) };
      return { sender, setCodecPreferences: choose } as never;
    }
  }
  const speaker = new Speaking({
    roomId: 'r1',
    exchange: async () => ({ answer: '', location: '/c', id: 'c' }),
    hangUp: async () => undefined,
    onState: () => undefined,
    isElsewhere: () => false,
    makePeer: () => new SpeakingPeer().asPeer(),
  });
  return { speaker, given, replaced };
}

const track = (name: string) => name as unknown as MediaStreamTrack;

afterEach(() => vi.unstubAllGlobals());

it('sends one track, with RED before Opus and nothing else', async () => {
  const chosen: string[][] = [];
  const { speaker, given } = speaking((wanted) => chosen.push(wanted.map((one) => one.mimeType)));
  speaker.start(track('voice'));
  await settled();
  expect(given).toEqual([['voice', { direction: 'sendonly' }]]);
  expect(chosen).toEqual([['audio/red', 'audio/opus', 'audio/opus']]);
  speaker.stop();
});

it('speaks where the browser will not have an order of codecs', async () => {
  const { speaker, given } = speaking(() => {
    throw new DOMException('', 'InvalidModificationError');
  });
  speaker.start(track('voice'));
  await settled();
  expect(given).toHaveLength(1);
  speaker.stop();
});

it('changes the microphone without a new connection', async () => {
  const { speaker, given, replaced } = speaking(() => undefined);
  speaker.start(track('old'));
  await settled();
  await speaker.change(track('new'));
  expect(replaced).toEqual(['new']);
  expect(given).toHaveLength(1);
  speaker.stop();
});
