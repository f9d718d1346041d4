/** Rooms, events and stand-ins for the browser's parts that tests begin with. */
import type { Hand, Room, RoomEvent, Speaker } from '../src/protocol/types';
import { youIn } from '../src/room/fold';

export const AT = '2026-03-04T05:06:07.890Z';

export function person(handle: string) {
  return { handle, name: handle.charAt(0).toUpperCase() + handle.slice(1) };
}

/** Ada's live room, seen by `me`. */
export function aRoom(me: string | null = null, given: Partial<Room> = {}): Room {
  const room: Room = {
    id: 'r1',
    url: 'http://localhost:8080/r/r1',
    title: 'A room',
    access: 'open',
    guests: true,
    state: 'live',
    host: person('ada'),
    seq: 2,
    speakers: [{ ...person('ada'), muted: false, connected: false, turn: null }],
    hands: [],
    hands_locked: false,
    hands_pause_s: null,
    turns: null,
    capacity: 50,
    ends_at: null,
    listeners_at_most: null,
    offers: [],
    offers_until: {},
    cohosts: [],
    successor: null,
    acting_host: null,
    visitors: [],
    audience: { count: 0 },
    evidence: { minutes: 5 },
    starts_at: null,
    started_at: AT,
    ended_at: null,
    you: {
      role: 'guest',
      may_speak: false,
      hand: false,
      muted: false,
      offered: false,
      may_grant: false,
      warning: null,
    },
    ...given,
  };
  return { ...room, you: youIn(room, me) };
}

export function anEvent(
  seq: number,
  type: string,
  handle?: string,
  by = 'ada',
  more: Partial<RoomEvent> = {},
): RoomEvent {
  return { type, seq, at: AT, by, ...(handle ? person(handle) : {}), ...more };
}

export function aSpeaker(handle: string, given: Partial<Speaker> = {}): Speaker {
  return { ...person(handle), muted: false, connected: true, turn: null, ...given };
}

export function aHand(handle: string, given: Partial<Hand> = {}): Hand {
  return { ...person(handle), raised_at: AT, note: '', ...given };
}

/** A peer connection that does as it is told. */
export class FakePeer extends EventTarget {
  connectionState: RTCPeerConnectionState = 'new';
  signalingState: RTCSignalingState = 'stable';
  localDescription: { sdp: string } | null = null;
  readonly transport = Object.assign(new EventTarget(), { state: 'connected' as RTCDtlsTransportState });
  readonly sender = { transport: this.transport, replaceTrack: async () => undefined };

  addTransceiver() {
    return { sender: this.sender };
  }

  getTransceivers() {
    return [{ sender: this.sender }];
  }

  async createOffer() {
    return { type: 'offer', sdp: 'an offer' };
  }

  async setLocalDescription(description: { sdp: string }) {
    this.localDescription = description;
  }

  async setRemoteDescription() {
    this.become('connecting');
  }

  become(state: RTCPeerConnectionState) {
    if (this.connectionState === 'closed') return;
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  closeByServer() {
    this.transport.state = 'closed';
    this.transport.dispatchEvent(new Event('statechange'));
  }

  close() {
    this.connectionState = 'closed';
    this.signalingState = 'closed';
  }

  asPeer(): RTCPeerConnection {
    return this as unknown as RTCPeerConnection;
  }
}

/** An event stream's answer that is written to by hand. */
export function anAnswer(status = 200) {
  let control!: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (control = given) });
  const encoder = new TextEncoder();
  return {
    response: new Response(status === 204 ? null : body, { status }),
    write: (text: string) => control.enqueue(encoder.encode(text)),
    end: () => control.close(),
    fail: () => control.error(new TypeError('network error')),
  };
}

/** Lets every promise that can settle do so, without time passing. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await Promise.resolve();
}

/** A screen that is wide enough for whatever is asked, or too narrow for it. */
export function aScreen(wide: boolean): void {
  const matchMedia = () => Object.assign(new EventTarget(), { matches: wide });
  Object.assign(window, { matchMedia });
}
