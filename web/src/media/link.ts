/**
 * One lasting media connection to a room, made of attempts.
 *
 * The invariant: at most one attempt carries the sound. A new one is made beside it and takes over when it connects,
 * so that coming back after a change of network or server interrupts nothing that still works. `stop` ends all of it.
 */
import { backoff } from '../protocol/backoff';
import { Problem, Unreachable } from '../protocol/problem';
import type { Connection } from '../protocol/api';

export type LinkReason =
  /** The server answered no, and will again. */
  | 'refused'
  /** No answer, or one that says: later. */
  | 'unreachable'
  | 'full'
  /** Signalling works and UDP does not get through. */
  | 'udp'
  /** The browser cannot do it. */
  | 'browser'
  /** The server has closed the connection and asked for no other: this account speaks from somewhere else now. */
  | 'elsewhere';

export type LinkState =
  | { kind: 'idle' }
  | { kind: 'connecting' }
  | { kind: 'connected' }
  /** Was there, or never quite; `at` is when the next try comes, null while one is on its way after `tries` others. */
  | { kind: 'reconnecting'; reason: LinkReason; at: number | null; tries: number }
  /** Not without help: `at` is null, or when it is tried once more nevertheless. */
  | { kind: 'failed'; reason: LinkReason; at: number | null; problem: Problem | null };

export interface LinkOptions {
  /** Adds the one transceiver and whatever hangs on it. */
  prepare(peer: RTCPeerConnection): void;
  exchange(offer: string): Promise<Connection>;
  hangUp(location: string): Promise<void>;
  onState(state: LinkState): void;
  /** The connection that carries the sound now, or null; before it connects, too, for statistics. */
  onPeer(peer: RTCPeerConnection | null): void;
  /**
   * Speaking only. The server has closed the connection in good order, and no `reconnect` has come since: has a newer
   * connection of this account replaced it? Coming back would then take the floor from oneself, for ever in turns.
   */
  isElsewhere?: () => boolean;
  makePeer?: () => RTCPeerConnection;
  random?: () => number;
  now?: () => number;
}

/** ICE has that long before we say that UDP does not pass. */
export const ICE_PATIENCE_MS = 10_000;
/** After a close in good order, the server's `reconnect` or its restart must show within this. */
export const CLOSED_PATIENCE_MS = 6_000;
const UDP_RETRY_MS = 8_000;

interface Attempt {
  peer: RTCPeerConnection;
  connection: Connection | null;
  over: boolean;
}

export class Link {
  private current: Attempt | null = null;
  private next: Attempt | null = null;
  private wanted = false;
  private tries = 0;
  /** Closed in good order, and waiting for a word from the server. */
  private patient = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private state: LinkState = { kind: 'idle' };
  private readonly random: () => number;
  private readonly now: () => number;

  constructor(private readonly options: LinkOptions) {
    this.random = options.random ?? Math.random;
    this.now = options.now ?? Date.now;
  }

  /** Is this one of the connections that a `reconnect` event names? */
  isNamed(ids: readonly string[]): boolean {
    return [this.current, this.next].some((one) => one?.connection && ids.includes(one.connection.id));
  }

  /** Of the connection that carries the sound now. */
  get location(): string | null {
    return this.current?.connection?.location ?? null;
  }

  get running(): boolean {
    return this.wanted;
  }

  start(): void {
    if (this.wanted && this.state.kind !== 'failed') return;
    this.wanted = true;
    this.tries = 0;
    if (!this.current) this.show({ kind: 'connecting' });
    void this.attempt();
  }

  stop(): void {
    this.wanted = this.patient = false;
    clearTimeout(this.timer);
    this.drop(this.next);
    this.drop(this.current);
    this.next = this.current = null;
    this.options.onPeer(null);
    this.show({ kind: 'idle' });
  }

  /** A new connection after `afterMs`. `gone`: the present one is known to be dead, so say so at once. */
  renew(gone: boolean, afterMs = 0): void {
    const { state } = this;
    if (!this.wanted) return;
    if (state.kind === 'failed' && (state.reason === 'refused' || state.reason === 'elsewhere')) return;
    this.tries = 0;
    if (gone) this.lose('unreachable');
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.attempt(), afterMs);
  }

  /** The server answers again: no need to wait for one's turn. */
  retryNow(): void {
    if (!this.wanted || this.state.kind !== 'reconnecting') return;
    if (this.state.at !== null || this.patient) void this.attempt();
  }

  private async attempt(): Promise<void> {
    clearTimeout(this.timer);
    this.patient = false;
    this.drop(this.next);
    let attempt: Attempt;
    try {
      const peer = (this.options.makePeer ?? (() => new RTCPeerConnection({ bundlePolicy: 'max-bundle' })))();
      attempt = { peer, connection: null, over: false };
      this.next = attempt;
      this.options.prepare(peer);
    } catch {
      this.next = null;
      return this.show({ kind: 'failed', reason: 'browser', at: null, problem: null });
    }
    if (!this.current) this.options.onPeer(attempt.peer);
    if (this.state.kind === 'reconnecting') this.show({ ...this.state, at: null });
    try {
      await this.negotiate(attempt);
      await connected(attempt.peer);
      if (!attempt.over) this.take(attempt);
    } catch (error) {
      if (!attempt.over) this.fail(attempt, error);
    }
  }

  private async negotiate(attempt: Attempt): Promise<void> {
    const { peer } = attempt;
    // The server needs none of our candidates: it learns our address from our first check (RFC 8445, 7.3.1.3).
    await peer.setLocalDescription(await peer.createOffer());
    const connection = await this.options.exchange(peer.localDescription?.sdp ?? '');
    if (attempt.over) {
      void this.options.hangUp(connection.location);
      return;
    }
    attempt.connection = connection;
    await peer.setRemoteDescription({ type: 'answer', sdp: connection.answer });
  }

  private take(attempt: Attempt): void {
    const before = this.current;
    this.current = attempt;
    this.next = null;
    this.tries = 0;
    this.watch(attempt);
    this.options.onPeer(attempt.peer);
    this.show({ kind: 'connected' });
    this.drop(before);
  }

  private watch(attempt: Attempt): void {
    const { peer } = attempt;
    const look = () => {
      if (attempt.over || attempt !== this.current) return;
      if (closedByServer(peer)) this.closed();
      else if (peer.connectionState === 'connected') this.recovered();
      else if (peer.connectionState !== 'connecting') {
        const waiting = this.state.kind === 'reconnecting';
        this.lose('unreachable');
        if (!waiting) void this.attempt();
      }
    };
    peer.addEventListener('connectionstatechange', look);
    const transport = peer.getTransceivers()[0]?.sender.transport;
    transport?.addEventListener('statechange', look);
  }

  /** ICE found its way again before a new connection did. */
  private recovered(): void {
    if (this.state.kind !== 'reconnecting') return;
    clearTimeout(this.timer);
    this.drop(this.next);
    this.next = null;
    this.show({ kind: 'connected' });
  }

  private closed(): void {
    this.lose('unreachable');
    this.drop(this.current);
    this.current = null;
    const { isElsewhere } = this.options;
    if (!isElsewhere) return void this.attempt();
    clearTimeout(this.timer);
    this.patient = true;
    this.timer = setTimeout(() => {
      if (!isElsewhere()) return void this.attempt();
      this.patient = false;
      this.options.onPeer(null);
      this.show({ kind: 'failed', reason: 'elsewhere', at: null, problem: null });
    }, CLOSED_PATIENCE_MS);
  }

  private lose(reason: LinkReason): void {
    if (this.state.kind === 'connected') this.show({ kind: 'reconnecting', reason, at: null, tries: 0 });
  }

  private fail(attempt: Attempt, error: unknown): void {
    this.drop(attempt);
    if (this.next === attempt) this.next = null;
    if (!this.current) this.options.onPeer(null);
    const problem = error instanceof Problem ? error : null;
    if (problem && !problem.passing) {
      this.drop(this.current);
      this.current = null;
      this.options.onPeer(null);
      return this.show({ kind: 'failed', reason: 'refused', at: null, problem });
    }
    const reason = reasonOf(error);
    if (reason === 'browser') return this.show({ kind: 'failed', reason, at: null, problem: null });
    const own = reason === 'udp' ? UDP_RETRY_MS : backoff(this.tries, this.random());
    this.tries += 1;
    // Not before the server's time, and a crowd that was told the same not all at it.
    const ms = Math.max(own, Math.round((problem?.retryAfterMs ?? 0) * (1 + this.random() / 2)));
    const at = this.now() + ms;
    if (reason === 'udp') this.show({ kind: 'failed', reason, at, problem: null });
    else if (!this.current || this.state.kind !== 'connected')
      this.show({ kind: 'reconnecting', reason, at, tries: this.tries });
    // A replacement that did not come about, while what it should replace still works, is no loss.
    if (this.current?.peer.connectionState === 'connected' && this.state.kind === 'connected') return;
    this.timer = setTimeout(() => void this.attempt(), ms);
  }

  private drop(attempt: Attempt | null): void {
    if (!attempt || attempt.over) return;
    attempt.over = true;
    const known = !closedByServer(attempt.peer);
    attempt.peer.close();
    if (attempt.connection && known) void this.options.hangUp(attempt.connection.location);
  }

  private show(state: LinkState): void {
    this.state = state;
    this.options.onState(state);
  }
}

class NoPath extends Error {}

function reasonOf(error: unknown): LinkReason {
  if (error instanceof NoPath) return 'udp';
  if (error instanceof Problem) return error.code === 'full' ? 'full' : 'unreachable';
  return error instanceof Unreachable ? 'unreachable' : 'browser';
}

function closedByServer(peer: RTCPeerConnection): boolean {
  const transport = peer.getTransceivers()[0]?.sender.transport;
  return transport?.state === 'closed' && peer.signalingState !== 'closed';
}

/** Resolves when sound can flow; rejects with NoPath when ICE has found no way in time. */
function connected(peer: RTCPeerConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      peer.removeEventListener('connectionstatechange', look);
      act();
    };
    const look = () => {
      if (peer.connectionState === 'connected') settle(resolve);
      else if (peer.connectionState === 'failed' || peer.connectionState === 'closed')
        settle(() => reject(new NoPath()));
    };
    const timer = setTimeout(() => settle(() => reject(new NoPath())), ICE_PATIENCE_MS);
    peer.addEventListener('connectionstatechange', look);
    look();
  });
}
