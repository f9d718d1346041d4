/**
 * One event stream of a room for all tabs of a browser that have it open.
 *
 * HTTP/1.1 allows a browser six connections to a server; a stream for each tab would leave none for the seventh. So one
 * tab leads, whichever holds the room's lock: it reads the stream and passes on all that comes. The others follow: they
 * take a snapshot of their own and fold onto it what they are told. A tab that goes, in whatever way, gives its lock to
 * the next; one that stands still for too long loses it. Where a browser has no locks, each tab reads its own stream.
 */
import { backoff } from './backoff';
import { EventStream, SILENCE_MS, type RoomEvents, type StreamOptions, type StreamState } from './events';
import { Problem } from './problem';
import type { Message } from './sse';

type Told =
  | { kind: 'message'; message: Message }
  | { kind: 'state'; state: Sent }
  | { kind: 'alive' }
  /** A follower has come and wants to know how things stand. */
  | { kind: 'ask' }
  | { kind: 'retry' }
  | { kind: 'restart' };

/** A state as it passes from tab to tab: a Problem loses its class on the way. */
type Sent =
  | Exclude<StreamState, { kind: 'closed' }>
  | { kind: 'closed'; problem: { status: number; code: string; detail: string } | null };

export interface Tabs {
  locks: Pick<LockManager, 'request'>;
  makeChannel(name: string): Pick<BroadcastChannel, 'postMessage' | 'close' | 'onmessage'>;
}

const ALIVE_EVERY_MS = 5000;
/** The leader says within this that it lives; a little more than the server takes. */
const LEADERLESS_MS = SILENCE_MS + 2 * ALIVE_EVERY_MS;

/** A room's events, read once for each browser where it can. `room`: the room's address in the API. */
export function eventsOf(
  room: string,
  options: StreamOptions,
  tabs: Tabs | null = browserTabs(),
): RoomEvents {
  return tabs ? new SharedStream(room, options, tabs) : new EventStream(`${room}/events`, options);
}

function browserTabs(): Tabs | null {
  if (typeof BroadcastChannel === 'undefined' || !globalThis.navigator?.locks) return null;
  return { locks: navigator.locks, makeChannel: (name) => new BroadcastChannel(name) };
}

export class SharedStream implements RoomEvents {
  private channel: ReturnType<Tabs['makeChannel']> | null = null;
  private leading: EventStream | null = null;
  private release: () => void = () => undefined;
  private queueing: AbortController | null = null;
  private fetching: AbortController | null = null;
  private state: StreamState = { kind: 'connecting' };
  /** What was told before one's own snapshot came. */
  private early: Message[] = [];
  private begun = false;
  private lastId: string | null = null;
  private tries = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;
  private heardAt = 0;
  private toldAt = -Infinity;
  private closed = false;
  private readonly name: string;
  private readonly now: () => number;

  constructor(
    private readonly room: string,
    private readonly options: StreamOptions,
    private readonly tabs: Tabs,
  ) {
    this.name = `parola:${room}`;
    this.now = options.now ?? Date.now;
  }

  open(): void {
    this.options.onState(this.state);
    this.join();
    globalThis.addEventListener?.('pagehide', this.onHide);
    globalThis.addEventListener?.('pageshow', this.onShow);
  }

  close(): void {
    this.finish({ kind: 'closed', problem: null });
  }

  retryNow(): void {
    if (this.leading) this.leading.retryNow();
    else if (!this.begun) void this.begin();
    else this.tell({ kind: 'retry' });
  }

  check(withinMs: number): void {
    if (this.leading) this.leading.check(withinMs);
    else if (this.now() - this.heardAt > LEADERLESS_MS) this.takeOver();
    else if (this.now() - this.heardAt > withinMs) this.tell({ kind: 'ask' });
  }

  restart(asOther = false): void {
    if (this.leading) return this.leading.restart();
    if (asOther) this.tell({ kind: 'restart' });
    void this.begin();
  }

  // Leading and following

  private join(): void {
    this.channel = this.tabs.makeChannel(this.name);
    this.channel.onmessage = (event) => this.onTold(event.data as Told);
    void this.hold({ ifAvailable: true }).then((held) => {
      if (held || this.closed || !this.channel) return;
      this.heard();
      this.tell({ kind: 'ask' });
      void this.begin();
      this.queue();
    });
  }

  private queue(): void {
    this.queueing?.abort();
    this.queueing = new AbortController();
    void this.hold({ signal: this.queueing.signal });
  }

  private takeOver(): void {
    this.queueing?.abort();
    void this.hold({ steal: true });
  }

  /** Leads for as long as the lock is held; resolves with whether it ever was. */
  private async hold(how: LockOptions): Promise<boolean> {
    let held = false;
    try {
      await this.tabs.locks.request(this.name, how, async (lock) => {
        if (!lock || this.closed || !this.channel || this.leading) return;
        held = true;
        await new Promise<void>((resolve) => this.lead(resolve));
      });
    } catch {
      // Another tab took us for dead, or one is not wanted any more; or a frame may not have locks at all.
      if (held) this.abdicate();
      else if (how.ifAvailable && !this.closed && this.channel) this.lead(() => undefined);
    }
    return held || this.leading !== null;
  }

  private lead(release: () => void): void {
    this.release = release;
    this.fetching?.abort();
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    this.early = [];
    this.begun = true;
    const { fetcher, random, now } = this.options;
    this.leading = new EventStream(`${this.room}/events`, {
      after: this.lastId,
      onMessage: (message) => {
        this.tell({ kind: 'message', message });
        this.pass(message);
      },
      onState: (state) => {
        this.tell({ kind: 'state', state: sent(state) });
        if (state.kind === 'closed') this.finish(state);
        else this.show(state);
      },
      onAlive: () => {
        if (this.now() - this.toldAt > ALIVE_EVERY_MS) this.tell({ kind: 'alive' });
      },
      ...(fetcher ? { fetcher } : {}),
      ...(random ? { random } : {}),
      ...(now ? { now } : {}),
    });
    this.leading.open();
  }

  /** Another tab reads on; what is told from here on comes from there. */
  private abdicate(): void {
    this.drop();
    if (this.closed || !this.channel) return;
    this.heard();
    this.queue();
  }

  private drop(): void {
    const { leading } = this;
    this.leading = null;
    this.release();
    // Without a last word: the room goes on.
    leading?.abandon();
  }

  private onTold(told: Told): void {
    if (this.closed) return;
    if (this.leading) return this.onAsked(told);
    this.heard();
    if (told.kind === 'message') this.onMessage(told.message);
    else if (told.kind === 'state') this.onState(received(told.state));
  }

  private onAsked(told: Told): void {
    if (told.kind === 'ask') this.tell({ kind: 'state', state: sent(this.state) });
    else if (told.kind === 'retry' && this.state.kind === 'waiting') this.leading?.retryNow();
    else if (told.kind === 'restart') this.leading?.restart();
  }

  private onMessage(message: Message): void {
    if (message.event === 'snapshot') this.fetching?.abort();
    else if (!this.begun) return void this.early.push(message);
    this.begun = true;
    this.early = [];
    this.pass(message);
    if (message.event === 'snapshot') this.show({ kind: 'open' });
  }

  private onState(state: StreamState): void {
    if (state.kind === 'closed') this.finish(state);
    // As long as one has no snapshot oneself, the leader's being open is not one's own.
    else if (this.begun || state.kind !== 'open') this.show(state);
  }

  /** A snapshot of one's own, then what was told since. */
  private async begin(): Promise<void> {
    this.fetching?.abort();
    clearTimeout(this.timer);
    const abort = new AbortController();
    this.fetching = abort;
    this.begun = false;
    let leastMs = 0;
    try {
      const answer = await (this.options.fetcher ?? fetch)(this.room, {
        headers: { Accept: 'application/json' },
        credentials: 'same-origin',
        cache: 'no-store',
        signal: abort.signal,
      });
      if (!answer.ok) {
        const problem = await Problem.of(answer);
        if (abort.signal.aborted) return;
        if (!problem.passing) return this.finish({ kind: 'closed', problem });
        leastMs = problem.retryAfterMs ?? 0;
      } else {
        const data = await answer.text();
        const { seq } = JSON.parse(data) as { seq: number };
        if (abort.signal.aborted) return;
        return this.onSnapshot({ event: 'snapshot', data, id: String(seq) });
      }
    } catch {
      // Refused, reset or aborted.
    }
    if (abort.signal.aborted || this.closed) return;
    const ms = Math.max(leastMs, backoff(this.tries++, (this.options.random ?? Math.random)()));
    this.show({ kind: 'waiting', at: this.now() + ms });
    this.timer = setTimeout(() => void this.begin(), ms);
  }

  private onSnapshot(snapshot: Message): void {
    const { early } = this;
    this.early = [];
    this.tries = 0;
    this.begun = true;
    this.pass(snapshot);
    this.show({ kind: 'open' });
    for (const message of early) this.pass(message);
    // The leader may know better how things stand.
    this.tell({ kind: 'ask' });
  }

  // To the page, and to the other tabs

  private pass(message: Message): void {
    if (this.closed) return;
    if (message.id !== null) this.lastId = message.id;
    this.options.onMessage(message);
  }

  private show(state: StreamState): void {
    if (this.closed || (state.kind === this.state.kind && state.kind !== 'waiting')) return;
    this.state = state;
    this.options.onState(state);
  }

  private tell(told: Told): void {
    this.toldAt = this.now();
    this.channel?.postMessage(told);
  }

  private heard(): void {
    this.heardAt = this.now();
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.takeOver(), LEADERLESS_MS);
  }

  private finish(state: StreamState & { kind: 'closed' }): void {
    if (this.closed) return;
    this.closed = true;
    this.state = state;
    this.part();
    globalThis.removeEventListener?.('pagehide', this.onHide);
    globalThis.removeEventListener?.('pageshow', this.onShow);
    this.options.onState(state);
  }

  private part(): void {
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    this.queueing?.abort();
    this.fetching?.abort();
    this.drop();
    this.channel?.close();
    this.channel = null;
  }

  /** A page that a browser keeps for the way back neither reads nor must hold the lock. */
  private readonly onHide = (): void => this.part();

  private readonly onShow = (event: Event): void => {
    if (this.closed || this.channel || !(event as PageTransitionEvent).persisted) return;
    this.join();
  };
}

function sent(state: StreamState): Sent {
  if (state.kind !== 'closed' || !state.problem) return state as Sent;
  const { status, code, detail } = state.problem;
  return { kind: 'closed', problem: { status, code, detail } };
}

function received(state: Sent): StreamState {
  if (state.kind !== 'closed' || !state.problem) return state as StreamState;
  const { status, code, detail } = state.problem;
  return { kind: 'closed', problem: new Problem(status, code, detail) };
}
