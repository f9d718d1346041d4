import { beforeEach, expect, it, vi } from 'vitest';

import { settled } from '../../tests/given';
import { MicrophoneError, type Microphone } from './microphone';
import { RECORDED_MS, Rehearsal } from './rehearsal.svelte';

class FakeMicrophone {
  track: object | null = null;
  level = 0.5;
  refusal: Error | null = null;
  asked: (string | undefined)[] = [];
  answer: Promise<void> = Promise.resolve();

  async open(deviceId?: string) {
    this.asked.push(deviceId);
    await this.answer;
    if (this.refusal) throw this.refusal;
    this.track = {};
  }

  close() {
    this.track = null;
  }
}

class FakeRecorder extends EventTarget {
  state = 'inactive';
  mimeType = 'audio/webm';

  start() {
    this.state = 'recording';
  }

  stop() {
    this.state = 'inactive';
    this.dispatchEvent(Object.assign(new Event('dataavailable'), { data: new Blob(['a']) }));
    this.dispatchEvent(new Event('stop'));
  }
}

class FakeAudio extends EventTarget {
  src = '';
  play = vi.fn(async () => undefined);
  pause = vi.fn();
}

let microphone: FakeMicrophone;
let recorder: FakeRecorder;
let audio: FakeAudio;
let rehearsal: Rehearsal;

beforeEach(() => {
  vi.useFakeTimers();
  [microphone, recorder, audio] = [new FakeMicrophone(), new FakeRecorder(), new FakeAudio()];
  rehearsal = new Rehearsal({
    makeMicrophone: () => microphone as unknown as Microphone,
    makeRecorder: () => recorder as unknown as MediaRecorder,
    makeAudio: () => audio as unknown as HTMLAudioElement,
  });
  return () => vi.useRealTimers();
});

it('opens the chosen microphone, shows its level, and closes it', async () => {
  await rehearsal.open('d2');
  expect(microphone.asked).toEqual(['d2']);
  expect(rehearsal.stage).toBe('open');
  expect(rehearsal.level).toBe(0.5);
  rehearsal.close();
  expect(rehearsal.stage).toBe('closed');
  expect(microphone.track).toBeNull();
});

it('records three seconds and plays them, then listens on', async () => {
  await rehearsal.open('');
  rehearsal.hearYourself();
  expect(rehearsal.stage).toBe('recording');
  await vi.advanceTimersByTimeAsync(RECORDED_MS);
  expect(rehearsal.stage).toBe('playing');
  expect(audio.src).toMatch(/^blob:/);
  expect(rehearsal.level).toBe(0);
  audio.dispatchEvent(new Event('ended'));
  expect(rehearsal.stage).toBe('open');
});

it('plays nothing once it is closed in the middle', async () => {
  await rehearsal.open('');
  rehearsal.hearYourself();
  rehearsal.close();
  await vi.advanceTimersByTimeAsync(2 * RECORDED_MS);
  expect(audio.play).not.toHaveBeenCalled();
  expect(recorder.state).toBe('inactive');
});

it('keeps no microphone that opens after it was closed', async () => {
  let done: () => void = () => undefined;
  microphone.answer = new Promise((resolve) => (done = resolve));
  const opening = rehearsal.open('');
  expect(rehearsal.stage).toBe('asking');
  rehearsal.close();
  done();
  await opening;
  await settled();
  expect(microphone.track).toBeNull();
  expect(rehearsal.stage).toBe('closed');
});

it('says what is wrong with the microphone', async () => {
  microphone.refusal = new MicrophoneError('refused');
  await rehearsal.open('');
  expect(rehearsal.fault).toBe('refused');
  expect(rehearsal.stage).toBe('closed');
  rehearsal.hearYourself();
  expect(rehearsal.stage).toBe('closed');
});
