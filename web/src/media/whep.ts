/** Listening (WHEP): one receive-only connection that plays the room's program through an <audio> element. */
import type { Connection, Exchange } from '../protocol/api';
import { expose } from './exposed';
import { Link, type LinkState } from './link';
import { LOOK_EVERY_MS, Stall } from './stall';

export interface ListeningOptions {
  roomId: string;
  exchange: Exchange;
  hangUp(location: string): Promise<void>;
  onState(state: LinkState): void;
  /** The browser refuses to play before someone taps, or does so no longer. */
  onBlocked(blocked: boolean): void;
  /** A connection brought its first packet so long after the server's answer. */
  onFirst?(connectionId: string, ms: number): void;
  /** The sound was paused: by its listener, or by a phone that rings. */
  onHushed?(hushed: boolean): void;
  makePeer?: () => RTCPeerConnection;
  makeAudio?: () => HTMLAudioElement;
}

export class Listening {
  private readonly audio: HTMLAudioElement;
  private readonly streams = new WeakMap<RTCPeerConnection, MediaStream>();
  private readonly stall = new Stall();
  private carrying: RTCPeerConnection | null = null;
  private looking: ReturnType<typeof setInterval> | undefined;
  private hushed = false;
  /** The connection that was answered last, until its first packet comes. */
  private answered: { id: string; at: number } | null = null;
  readonly link: Link;

  constructor(private readonly options: ListeningOptions) {
    this.audio = (options.makeAudio ?? (() => document.createElement('audio')))();
    this.audio.setAttribute('playsinline', '');
    this.audio.addEventListener('pause', () => this.onPause());
    this.audio.addEventListener('playing', () => this.say(false));
    this.link = new Link({
      prepare: (peer) => this.prepare(peer),
      exchange: (offer) => this.exchange(offer),
      hangUp: (location) => options.hangUp(location),
      onState: (state) => options.onState(state),
      onPeer: (peer) => this.carry(peer),
      ...(options.makePeer ? { makePeer: options.makePeer } : {}),
    });
  }

  /** Call it within a tap: some browsers let an element play only if it was asked to during one. */
  start(): void {
    document.body.append(this.audio);
    if (!this.audio.srcObject) this.audio.play().catch(() => undefined);
    this.link.start();
    clearInterval(this.looking);
    this.looking = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.looking);
    this.link.stop();
    this.audio.srcObject = null;
    this.audio.remove();
    this.say(false);
    this.options.onBlocked(false);
  }

  /** Silent until `hear`; the connection stands, so that the sound of that moment is there at once. */
  hush(): void {
    this.say(true);
    this.audio.pause();
  }

  /** Plays after all, within a tap. */
  async hear(): Promise<void> {
    this.say(false);
    try {
      await this.audio.play();
      this.options.onBlocked(false);
    } catch (error) {
      if (isRefusal(error)) this.options.onBlocked(true);
    }
  }

  private async exchange(offer: string): Promise<Connection> {
    const connection = await this.options.exchange(this.options.roomId, 'whep', offer);
    this.answered = { id: connection.id, at: performance.now() };
    return connection;
  }

  /** A track is muted until its first packet has come (W3C WebRTC, 5.3). */
  private onUnmute(): void {
    if (this.answered)
      this.options.onFirst?.(this.answered.id, Math.round(performance.now() - this.answered.at));
    this.answered = null;
  }

  private prepare(peer: RTCPeerConnection): void {
    peer.addEventListener('track', (event) => {
      event.track.addEventListener('unmute', () => this.onUnmute());
      this.streams.set(peer, event.streams[0] ?? new MediaStream([event.track]));
      if (peer === this.carrying) this.play(peer);
    });
    peer.addTransceiver('audio', { direction: 'recvonly' });
  }

  /** A new connection beside a present one that brings nothing any more; which of them lives shows by itself. */
  private look(): void {
    const receiver = this.carrying?.getReceivers?.()[0];
    const source = receiver?.getSynchronizationSources()[0];
    if (this.stall.look(performance.now(), source?.rtpTimestamp ?? null)) this.link.renew(false);
  }

  /** The element pauses also where its stream ends or is exchanged; then nobody meant it. */
  private onPause(): void {
    if (!this.audio.srcObject || this.carrying?.connectionState !== 'connected') return;
    if (this.streams.get(this.carrying) === this.audio.srcObject && this.audio.paused) this.say(true);
  }

  private say(hushed: boolean): void {
    if (hushed === this.hushed) return;
    this.hushed = hushed;
    this.options.onHushed?.(hushed);
  }

  private carry(peer: RTCPeerConnection | null): void {
    if (peer !== this.carrying) this.stall.begin();
    expose('listen', this.carrying, peer);
    this.carrying = peer;
    if (peer) this.play(peer);
  }

  private play(peer: RTCPeerConnection): void {
    const stream = this.streams.get(peer);
    if (!stream || this.audio.srcObject === stream) return;
    this.audio.srcObject = stream;
    if (!this.hushed) void this.hear();
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'NotAllowedError';
}
