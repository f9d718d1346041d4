/** Trying one's microphone before anybody hears it: its level, and oneself as others would. Nothing of it is sent. */
import { Microphone, MicrophoneError, type MicrophoneFault } from './microphone';

export type Stage = 'closed' | 'asking' | 'open' | 'recording' | 'playing';

export const RECORDED_MS = 3000;

export interface RehearsalOptions {
  makeMicrophone?: (onLost: () => void) => Microphone;
  makeRecorder?: (track: MediaStreamTrack) => MediaRecorder;
  makeAudio?: () => HTMLAudioElement;
}

export class Rehearsal {
  stage = $state<Stage>('closed');
  fault = $state.raw<MicrophoneFault | null>(null);
  private readonly microphone: Microphone;
  private recorder: MediaRecorder | null = null;
  private audio: HTMLAudioElement | null = null;
  private url = '';
  private timer: ReturnType<typeof setTimeout> | undefined;
  private turn = 0;

  constructor(private readonly options: RehearsalOptions = {}) {
    const lost = () => this.close();
    this.microphone = options.makeMicrophone?.(lost) ?? new Microphone(lost);
  }

  get level(): number {
    return this.stage === 'playing' ? 0 : this.microphone.level;
  }

  /** Call it within a tap: the browser may ask. */
  async open(deviceId: string): Promise<void> {
    this.close();
    const turn = ++this.turn;
    this.stage = 'asking';
    try {
      await this.microphone.open(deviceId || undefined);
      // It may have been closed while the browser asked.
      if (turn !== this.turn) this.microphone.close();
      else this.stage = 'open';
    } catch (error) {
      if (turn !== this.turn) return;
      this.stage = 'closed';
      this.fault = error instanceof MicrophoneError ? error.fault : 'unknown';
    }
  }

  /** Records three seconds and plays them: later, not at once, or loudspeakers would howl. */
  hearYourself(): void {
    const { track } = this.microphone;
    if (this.stage !== 'open' || !track) return;
    const recorder = this.options.makeRecorder?.(track) ?? new MediaRecorder(new MediaStream([track]));
    const parts: Blob[] = [];
    recorder.addEventListener('dataavailable', (event) => parts.push(event.data));
    recorder.addEventListener('stop', () => {
      if (this.recorder === recorder) this.play(new Blob(parts, { type: recorder.mimeType }));
    });
    this.recorder = recorder;
    this.stage = 'recording';
    recorder.start();
    this.timer = setTimeout(() => recorder.stop(), RECORDED_MS);
  }

  close(): void {
    this.turn++;
    this.quiet();
    this.microphone.close();
    this.stage = 'closed';
    this.fault = null;
  }

  private play(recorded: Blob): void {
    const audio = (this.options.makeAudio ?? (() => new Audio()))();
    this.url = URL.createObjectURL(recorded);
    this.audio = audio;
    this.stage = 'playing';
    const over = () => {
      if (this.audio !== audio) return;
      this.quiet();
      this.stage = 'open';
    };
    audio.addEventListener('ended', over);
    audio.addEventListener('error', over);
    audio.src = this.url;
    audio.play().catch(over);
  }

  private quiet(): void {
    clearTimeout(this.timer);
    const { recorder, audio } = this;
    this.recorder = this.audio = null;
    if (recorder && recorder.state !== 'inactive') recorder.stop();
    audio?.pause();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = '';
  }
}
