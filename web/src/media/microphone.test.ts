import { afterEach, expect, it, vi } from 'vitest';

import { faultOf, loudness, Microphone, type MicrophoneError } from './microphone';

afterEach(() => vi.unstubAllGlobals());

function devices(record: (wanted: MediaStreamConstraints) => Promise<MediaStream>) {
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia: record } });
}

function aStream() {
  const track = Object.assign(new EventTarget(), { stop: vi.fn(), getSettings: () => ({ deviceId: 'd1' }) });
  return {
    track,
    stream: { getAudioTracks: () => [track], getTracks: () => [track] } as unknown as MediaStream,
  };
}

it('asks for one cleaned channel', async () => {
  const { stream } = aStream();
  const record = vi.fn(async () => stream);
  devices(record);
  const microphone = new Microphone(() => undefined);
  await microphone.open('d1');
  expect(record).toHaveBeenCalledWith({
    audio: {
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      channelCount: 1,
      deviceId: { exact: 'd1' },
    },
  });
  expect(microphone.deviceId).toBe('d1');
});

it('takes any microphone when the chosen one is gone', async () => {
  const { stream } = aStream();
  devices(async ({ audio }) => {
    if (typeof audio === 'object' && audio.deviceId) throw new DOMException('', 'OverconstrainedError');
    return stream;
  });
  await expect(new Microphone(() => undefined).open('gone')).resolves.toBeDefined();
});

it('tells when the device goes away, but not when it is closed', async () => {
  const { stream, track } = aStream();
  devices(async () => stream);
  const lost = vi.fn();
  const microphone = new Microphone(lost);
  await microphone.open();
  track.dispatchEvent(new Event('ended'));
  expect(lost).toHaveBeenCalledOnce();
  microphone.close();
  expect(track.stop).toHaveBeenCalled();
  track.dispatchEvent(new Event('ended'));
  expect(lost).toHaveBeenCalledOnce();
});

it('knows the four ways in which a microphone is not to be had', async () => {
  expect(faultOf('NotAllowedError')).toBe('refused');
  expect(faultOf('NotFoundError')).toBe('absent');
  expect(faultOf('NotReadableError')).toBe('busy');
  expect(faultOf('TypeError')).toBe('unknown');
  vi.stubGlobal('navigator', {});
  await expect(new Microphone(() => undefined).open()).rejects.toMatchObject({
    fault: 'insecure',
  } satisfies Partial<MicrophoneError>);
});

it('measures loudness as ears do', () => {
  expect(loudness(new Float32Array(960))).toBe(0);
  expect(loudness(new Float32Array(960).fill(1))).toBe(1);
  const speech = loudness(new Float32Array(960).fill(0.05));
  expect(speech).toBeGreaterThan(0.5);
  expect(speech).toBeLessThan(0.8);
});
