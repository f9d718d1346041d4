/**
 * One microphone, open from `open` to `close`. The browser shows its recording mark for exactly that time, so it is
 * opened by a tap only, and closed when the floor goes.
 */

export type MicrophoneFault = 'refused' | 'absent' | 'busy' | 'insecure' | 'unknown';

export interface Device {
  id: string;
  label: string;
}

export class MicrophoneError extends Error {
  constructor(readonly fault: MicrophoneFault) {
    super(`the microphone is ${fault}`);
    this.name = 'MicrophoneError';
  }
}

export class Microphone {
  private stream: MediaStream | null = null;
  private meter: Meter | null = null;

  /** `onLost`: the device went away in mid-speech. */
  constructor(private readonly onLost: () => void) {}

  get track(): MediaStreamTrack | null {
    return this.stream?.getAudioTracks()[0] ?? null;
  }

  /** Which one it is, '' while none is open. */
  get deviceId(): string {
    return this.track?.getSettings().deviceId ?? '';
  }

  /** 0 to 1, as loud as it sounds; 0 while closed. */
  get level(): number {
    return this.meter?.level ?? 0;
  }

  async open(deviceId?: string): Promise<MediaStreamTrack> {
    const stream = await record(deviceId);
    const track = stream.getAudioTracks()[0];
    if (!track) throw new MicrophoneError('absent');
    this.close();
    this.stream = stream;
    this.meter = Meter.on(stream);
    track.addEventListener('ended', () => {
      if (this.track === track) this.onLost();
    });
    return track;
  }

  close(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.meter?.close();
    this.stream = this.meter = null;
  }
}

/** The microphones there are; without labels until one was allowed. */
export async function microphones(): Promise<Device[]> {
  const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  return all
    .filter((one) => one.kind === 'audioinput' && one.deviceId !== '')
    .map((one) => ({ id: one.deviceId, label: one.label }));
}

export function onDevicesChanged(act: () => void): () => void {
  navigator.mediaDevices?.addEventListener?.('devicechange', act);
  return () => navigator.mediaDevices?.removeEventListener?.('devicechange', act);
}

async function record(deviceId?: string): Promise<MediaStream> {
  // Browsers hide microphones from pages that came over plain http, localhost excepted.
  if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError('insecure');
  const audio: MediaTrackConstraints = {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    channelCount: 1,
  };
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: deviceId ? { ...audio, deviceId: { exact: deviceId } } : audio,
    });
  } catch (error) {
    const name = error instanceof DOMException || error instanceof Error ? error.name : '';
    if (deviceId && (name === 'OverconstrainedError' || name === 'NotFoundError')) return record();
    throw new MicrophoneError(faultOf(name));
  }
}

export function faultOf(name: string): MicrophoneFault {
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'refused';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'absent';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'unknown';
  }
}

/** The range of speech that the meter shows: from a quiet room up to close and loud. */
const FLOOR_DB = -55;
const CEILING_DB = -10;

export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
}

class Meter {
  private readonly samples: Float32Array<ArrayBuffer>;

  private constructor(
    private readonly context: AudioContext,
    private readonly analyser: AnalyserNode,
  ) {
    this.samples = new Float32Array(analyser.fftSize);
  }

  static on(stream: MediaStream): Meter | null {
    if (typeof AudioContext === 'undefined') return null;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(stream).connect(analyser);
    void context.resume();
    return new Meter(context, analyser);
  }

  get level(): number {
    this.analyser.getFloatTimeDomainData(this.samples);
    return loudness(this.samples);
  }

  close(): void {
    void this.context.close();
  }
}
