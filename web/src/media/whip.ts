/** Speaking (WHIP, RFC 9725): one send-only connection that carries one microphone's track. */
import type { Exchange } from '../protocol/api';
import { expose } from './exposed';
import { Link, type LinkState } from './link';

export interface SpeakingOptions {
  roomId: string;
  exchange: Exchange;
  hangUp(location: string): Promise<void>;
  onState(state: LinkState): void;
  isElsewhere(): boolean;
  makePeer?: () => RTCPeerConnection;
}

export class Speaking {
  private track: MediaStreamTrack | null = null;
  private carrying: RTCPeerConnection | null = null;
  private readonly senders = new Set<RTCRtpSender>();
  readonly link: Link;

  constructor(options: SpeakingOptions) {
    this.link = new Link({
      prepare: (peer) => this.prepare(peer),
      exchange: (offer) => options.exchange(options.roomId, 'whip', offer),
      hangUp: (location) => options.hangUp(location),
      onState: (state) => options.onState(state),
      onPeer: (peer) => {
        expose('speak', this.carrying, peer);
        this.carrying = peer;
      },
      isElsewhere: () => options.isElsewhere(),
      ...(options.makePeer ? { makePeer: options.makePeer } : {}),
    });
  }

  start(track: MediaStreamTrack): void {
    this.track = track;
    this.link.start();
  }

  /** Another microphone on the same connection: nobody hears a gap longer than the change itself. */
  async change(track: MediaStreamTrack): Promise<void> {
    this.track = track;
    await Promise.allSettled([...this.senders].map((sender) => sender.replaceTrack(track)));
  }

  stop(): void {
    this.link.stop();
    this.senders.clear();
    this.track = null;
  }

  private prepare(peer: RTCPeerConnection): void {
    if (!this.track) throw new Error('a speaker needs a track');
    const transceiver = peer.addTransceiver(this.track, { direction: 'sendonly' });
    preferRedundancy(transceiver);
    for (const sender of this.senders) if (sender.transport?.state === 'closed') this.senders.delete(sender);
    this.senders.add(transceiver.sender);
  }
}

/** Opus with its past repeated (RED, RFC 2198) before plain Opus, so that the server may choose it; nothing else. */
function preferRedundancy(transceiver: RTCRtpTransceiver): void {
  const known = globalThis.RTCRtpSender?.getCapabilities?.('audio')?.codecs ?? [];
  const named = (type: string) => known.filter((codec) => codec.mimeType.toLowerCase() === type);
  const wanted = [...named('audio/red'), ...named('audio/opus')];
  if (wanted.length === 0 || !transceiver.setCodecPreferences) return;
  try {
    transceiver.setCodecPreferences(wanted);
  } catch {
    // The browser's own order holds Opus as well.
  }
}
