/**
 * One's presence in one room: what is known of it, listening, and speaking.
 *
 * The invariants: the microphone's track is enabled only while this page wishes it, nothing is on its way, and the
 * room has the speaker unmuted, and where one talks by holding a key, while it is held; it exists only while one has the floor; and it is opened by `takeFloor` alone.
 */
import { Microphone, MicrophoneError, type MicrophoneFault } from '../media/microphone';
import { recall, remember } from '../media/preferences';
import { CLOSED_PATIENCE_MS, type LinkState } from '../media/link';
import { Listening } from '../media/whep';
import { Speaking } from '../media/whip';
import type { Api } from '../protocol/api';
import { serverNow } from '../protocol/clock';
import type { RoomEvents, StreamState } from '../protocol/events';
import { Problem } from '../protocol/problem';
import { eventsOf } from '../protocol/shared';
import type { Message } from '../protocol/sse';
import type { Details, Levels, Reconnect, Room, RoomEvent, TurnWarning } from '../protocol/types';
import { fold, withPresence, youIn } from './fold';

export type Gone =
  /** The room has ended. */
  | 'ended'
  /** The reader was removed. */
  | 'removed'
  /** It was open to the reader and is not any more: a block, or an invitation that was taken back. */
  | 'closed'
  /** It does not exist, or the reader may not know of it. */
  | 'hidden';

export type Voice =
  /** No microphone is open here. */
  | 'closed'
  | 'open'
  /** One talks by holding a key or a button, and holds none. */
  | 'ready'
  /** On its way; the track is silent already. */
  | 'muting'
  | 'muted'
  /** Silent here, and the room has not confirmed it. */
  | 'unconfirmed'
  | 'opening';

export interface SessionOptions {
  roomId: string;
  api: Api;
  /** undefined while that is not known yet: the room is followed all the same. */
  me: string | null | undefined;
  /** After each lasting event was folded. */
  onEvent?(event: RoomEvent, before: Room, after: Room): void;
  /** Somebody's turn is over soon. */
  onTurn?(warning: TurnWarning, room: Room): void;
  /** The server takes us for somebody else than `me`: that session has ended, or another has begun. */
  onStranger?(): void;
  /** The microphone was unplugged, and the one of this label goes on in its place. */
  onReplaced?(label: string): void;
  makeListening?: (options: ConstructorParameters<typeof Listening>[0]) => Listening;
  makeSpeaking?: (options: ConstructorParameters<typeof Speaking>[0]) => Speaking;
  makeMicrophone?: (onLost: () => void) => Microphone;
  fetcher?: typeof fetch;
}

/** Levels come some times a second, and more rarely in a large room; long after the last, nobody sounds. */
const LEVELS_FADE_MS = 900;
const LEVELS_FADE_MOST_MS = 6000;

/** The stream's own watchdog stands still with a machine that sleeps; the clock on the wall does not. */
const WAKE_LOOK_MS = 5000;
const WAKE_SILENCE_MS = 40_000;
/** So long after a stream has come back, what was closed in good order was closed by a restart. */
const RESTART_MS = CLOSED_PATIENCE_MS + 2000;

const MOST_TOLD_MS = 60_000;
const TOLD_AFTER_MS = 2000;
const TOLD_WITHIN_MS = 20_000;

export class RoomSession {
  room = $state.raw<Room | null>(null);
  stream = $state.raw<StreamState>({ kind: 'connecting' });
  /** The server cannot be reached; `at` is when the next try comes, null while one is on its way. */
  away = $state.raw<{ at: number | null } | null>(null);
  gone = $state.raw<Gone | null>(null);
  /** Since when, by the server's clock; of what was gone already, when that was learnt. */
  goneAt = 0;
  levels = $state.raw<Levels>({});
  listening = $state.raw<LinkState>({ kind: 'idle' });
  /** The browser wants a tap before it plays. */
  blocked = $state(false);
  /** The sound is paused, by the listener or the phone. */
  hushed = $state(false);
  speaking = $state.raw<LinkState>({ kind: 'idle' });
  fault = $state.raw<MicrophoneFault | null>(null);
  /** The browser is asking the person for the microphone. */
  asking = $state(false);
  deviceId = $state(recall().microphone);
  pushToTalk = $state(recall().pushToTalk);

  private wish = $state<'open' | 'muted'>('open');
  private held = $state(false);
  private pending = $state(false);
  private unconfirmed = $state(false);
  /** How often one has stopped speaking: a microphone that was asked for before comes too late. */
  private stops = 0;
  private me: string | null | undefined;
  private readonly api: Api;
  private readonly listen: Listening;
  private readonly speak: Speaking;
  private readonly microphone: Microphone;
  private readonly events: RoomEvents;
  /** So long, in milliseconds, beside what comes in at this moment: since when, where something does. */
  private heard = 0;
  private hearsSince: number | null = null;
  private telling: ReturnType<typeof setTimeout> | undefined;
  private fade: ReturnType<typeof setTimeout> | undefined;
  private levelsAt = -Infinity;
  private opened = false;
  private reopenedAt = -Infinity;
  private undo: (() => void)[] = [];

  constructor(private readonly options: SessionOptions) {
    const { api, roomId } = options;
    this.api = api;
    this.me = options.me;
    const common = { roomId, exchange: api.exchange, hangUp: (location: string) => api.hangUp(location) };
    this.listen = (options.makeListening ?? ((given) => new Listening(given)))({
      ...common,
      onState: (state) => this.onListening(state),
      onBlocked: (blocked) => (this.blocked = blocked),
      onHushed: (hushed) => (this.hushed = hushed),
      onFirst: (connection, ms) => this.tellFirst(connection, ms),
    });
    this.speak = (options.makeSpeaking ?? ((given) => new Speaking(given)))({
      ...common,
      onState: (state) => this.onSpeaking(state),
      // A stream that has just come back says that the server was restarted, not that another device speaks.
      isElsewhere: () =>
        this.stream.kind === 'open' && this.mayTalk && Date.now() - this.reopenedAt > RESTART_MS,
    });
    this.microphone = (options.makeMicrophone ?? ((lost) => new Microphone(lost)))(() => void this.onLost());
    this.events = eventsOf(`/api/rooms/${encodeURIComponent(roomId)}`, {
      onMessage: (message) => this.onMessage(message),
      onState: (state) => this.onStream(state),
      ...(options.fetcher ? { fetcher: options.fetcher } : {}),
    });
  }

  /** Begins to follow the room; ends with `close`. */
  open(): void {
    this.events.open();
    const network = () => this.onNetwork();
    const shown = () => {
      if (document.visibilityState === 'visible') this.events.check(20_000);
    };
    const leave = () => this.hangUp();
    window.addEventListener('online', network);
    document.addEventListener('visibilitychange', shown);
    window.addEventListener('pagehide', leave);
    const waking = setInterval(() => this.events.check(WAKE_SILENCE_MS), WAKE_LOOK_MS);
    this.undo = [
      () => clearInterval(waking),
      () => window.removeEventListener('online', network),
      () => document.removeEventListener('visibilitychange', shown),
      () => window.removeEventListener('pagehide', leave),
    ];
  }

  close(): void {
    for (const act of this.undo) act();
    this.undo = [];
    clearTimeout(this.fade);
    clearTimeout(this.telling);
    this.hangUp();
    this.events.close();
  }

  /** Somebody has signed in or out in the middle: the same room, seen and heard as another caller. */
  identify(me: string | null): void {
    if (me === this.me) return;
    const isNews = this.me !== undefined || (this.room !== null && isGuest(this.room) !== (me === null));
    this.me = me;
    if (!isNews) return;
    this.stopSpeaking();
    if (this.room) this.room = { ...this.room, you: youIn(this.room, me) };
    this.gone = null;
    this.events.restart(true);
    this.listen.link.renew(false);
  }

  /** Tries at once what waits for its turn. */
  retryNow(): void {
    this.events.retryNow();
  }

  get roomId(): string {
    return this.options.roomId;
  }

  get handle(): string | null {
    return this.me ?? null;
  }

  private get mayTalk(): boolean {
    return this.room?.you.may_speak ?? false;
  }

  /** Not at once: a crowd that came together would tell it together. */
  private tellFirst(connection: string, ms: number): void {
    if (ms > MOST_TOLD_MS) return;
    clearTimeout(this.telling);
    this.telling = setTimeout(
      () => void this.api.heard(this.roomId, connection, ms).catch(() => undefined),
      TOLD_AFTER_MS + Math.random() * TOLD_WITHIN_MS,
    );
  }

  // Listening

  startListening = (): void => this.listen.start();
  stopListening = (): void => this.listen.stop();
  hear = (): Promise<void> => this.listen.hear();
  hush = (): void => this.listen.hush();

  /** Is one in the room with ears or voice, and not only reading along? */
  get sounding(): boolean {
    return this.listening.kind !== 'idle' || this.speaking.kind !== 'idle';
  }

  /** One has listened here. */
  get attended(): boolean {
    return this.heard > 0 || this.hearsSince !== null;
  }

  /** How long one has listened here. */
  get heardMs(): number {
    return this.heard + (this.hearsSince === null ? 0 : performance.now() - this.hearsSince);
  }

  /** Ends the sound in both directions and goes on reading. */
  /** Ends the sound in both directions, lowers a hand that is up, and goes on reading. */
  leave(): void {
    this.hangUp();
    // Where this does not arrive, the room lowers it in a while.
    if (this.room?.you.hand) void this.api.lowerHand(this.roomId).catch(() => undefined);
  }

  /** What the server says of both connections; null where there is none, or no answer. */
  details = async (): Promise<Record<'listen' | 'speak', Details | null>> => {
    const ask = async ({ link }: Listening | Speaking) =>
      link.location === null ? null : await this.api.details(link.location).catch(() => null);
    const [listen, speak] = await Promise.all([ask(this.listen), ask(this.speak)]);
    return { listen, speak };
  };

  // Speaking

  get voice(): Voice {
    const { speaking } = this;
    if (speaking.kind === 'idle' || (speaking.kind === 'failed' && speaking.at === null)) return 'closed';
    if (this.wish === 'muted') return this.pending ? 'muting' : this.unconfirmed ? 'unconfirmed' : 'muted';
    if (this.pending) return 'opening';
    if (this.room?.you.muted) return 'muted';
    return this.pushToTalk && !this.held ? 'ready' : 'open';
  }

  private get speaks(): boolean {
    return this.speaking.kind !== 'idle';
  }

  get ownLevel(): number {
    return this.voice === 'open' ? this.microphone.level : 0;
  }

  /** Opens the microphone and speaks; call it within a tap, and only then. */
  async takeFloor(): Promise<void> {
    if (this.asking || !this.mayTalk) return;
    const { stops } = this;
    this.fault = null;
    this.asking = true;
    if (this.listening.kind === 'idle') this.listen.start();
    try {
      const track = await this.microphone.open(this.deviceId || undefined);
      // The floor may have gone while the browser asked, or the person.
      if (!this.mayTalk || stops !== this.stops) return this.microphone.close();
      this.deviceId = this.microphone.deviceId;
      this.wish = this.room?.you.muted ? 'muted' : 'open';
      this.pending = this.unconfirmed = false;
      this.settleTrack();
      this.speak.start(track);
    } catch (error) {
      this.fault = error instanceof MicrophoneError ? error.fault : 'unknown';
    } finally {
      this.asking = false;
    }
  }

  /** Silent here at once; said to be silent only when the room has answered. */
  async mute(): Promise<void> {
    const me = this.handle;
    if (me === null || this.speaking.kind === 'idle') return;
    this.wish = 'muted';
    this.held = false;
    await this.exchangeMute(() => this.api.mute(this.options.roomId, me));
  }

  async unmute(): Promise<void> {
    const me = this.handle;
    if (me === null || this.speaking.kind === 'idle' || this.pending) return;
    this.wish = 'open';
    try {
      await this.exchangeMute(() => this.api.unmute(this.options.roomId, me));
    } catch (error) {
      this.wish = 'muted';
      this.settleTrack();
      throw error;
    }
  }

  /** Talks while held; the room is asked for nothing, so that not a syllable is lost. */
  talk(held: boolean): void {
    this.held = held;
    this.settleTrack();
  }

  choosePushToTalk(on: boolean): void {
    this.pushToTalk = on;
    remember({ pushToTalk: on });
    this.talk(false);
  }

  chooseMicrophone(deviceId: string): Promise<void> {
    remember({ microphone: deviceId });
    return this.changeMicrophone(deviceId);
  }

  private async changeMicrophone(deviceId: string): Promise<void> {
    this.deviceId = deviceId;
    if (!this.speaks) return;
    try {
      const track = await this.microphone.open(deviceId);
      // Nobody speaks here any more.
      if (!this.speaks) return this.microphone.close();
      this.deviceId = this.microphone.deviceId;
      this.fault = null;
      this.settleTrack();
      await this.speak.change(track);
    } catch (error) {
      this.fault = error instanceof MicrophoneError ? error.fault : 'unknown';
    }
  }

  stopSpeaking(): void {
    this.stops++;
    this.held = false;
    this.speak.stop();
    this.microphone.close();
    this.fault = null;
  }

  private async exchangeMute(call: () => Promise<void>): Promise<void> {
    const wish = this.wish;
    this.pending = true;
    this.unconfirmed = false;
    this.settleTrack();
    try {
      await call();
    } catch (error) {
      if (this.wish === wish && wish === 'muted') this.unconfirmed = true;
      throw error;
    } finally {
      if (this.wish === wish) this.pending = false;
      this.settleTrack();
    }
  }

  private settleTrack(): void {
    const { track } = this.microphone;
    if (!track) return;
    const silent = this.wish !== 'open' || this.pending || this.room?.you.muted;
    track.enabled = !silent && (this.held || !this.pushToTalk);
  }

  private async onLost(): Promise<void> {
    // The device was unplugged: another one may do, and the person stays as muted as they were.
    await this.changeMicrophone('');
    const { track } = this.microphone;
    if (this.fault) this.speak.stop();
    else if (track) this.options.onReplaced?.(track.label);
  }

  private hangUp(): void {
    this.stopSpeaking();
    this.listen.stop();
  }

  private onListening(state: LinkState): void {
    this.listening = state;
    this.heard = this.heardMs;
    this.hearsSince = null;
    if (state.kind === 'connected') this.hearsSince = performance.now();
    if (state.kind === 'failed' && state.problem) this.judge(state.problem);
  }

  private onSpeaking(state: LinkState): void {
    this.speaking = state;
    if (state.kind !== 'failed') return;
    if (state.at === null) this.microphone.close();
  }

  private onNetwork(): void {
    this.events.retryNow();
    this.listen.link.renew(false);
    this.speak.link.renew(false);
  }

  // Events

  private onStream(state: StreamState): void {
    this.stream = state;
    if (state.kind === 'waiting') this.away = { at: state.at };
    else if (state.kind === 'connecting') this.away = this.away && { at: null };
    else {
      this.away = null;
      if (state.kind === 'open') this.onOpen();
    }
    if (state.kind !== 'closed' || this.gone) return;
    if (state.problem) this.judge(state.problem);
    else if (this.room?.state === 'ended') this.leaveFor('ended');
  }

  private onOpen(): void {
    if (this.opened) this.reopenedAt = Date.now();
    this.opened = true;
    for (const { link } of [this.listen, this.speak]) link.retryNow();
  }

  private judge(problem: Problem): void {
    if (problem.code === 'removed') this.leaveFor('removed');
    else if (problem.status === 404) this.leaveFor(this.room ? 'closed' : 'hidden');
    else if (problem.status === 401) this.leaveFor('hidden');
  }

  private leaveFor(why: Gone): void {
    this.gone = why;
    this.goneAt = serverNow();
    this.hangUp();
    this.events.close();
  }

  private onMessage(message: Message): void {
    let data: unknown;
    try {
      data = JSON.parse(message.data);
    } catch {
      return;
    }
    if (data === null || typeof data !== 'object') return;
    if (message.event === 'snapshot') return this.onSnapshot(data as Room);
    if (message.id === null) return this.onPassing(message.event, data as Record<string, unknown>);
    this.onLasting({ ...(data as RoomEvent), type: message.event });
  }

  private onSnapshot(room: Room): void {
    const again = this.room !== null;
    this.room = room;
    if (room.state === 'ended') return this.leaveFor('ended');
    if (this.me !== undefined && isGuest(room) !== (this.me === null)) this.options.onStranger?.();
    this.afterChange();
    if (!again) return;
    // The server could not resume: it has been away, and the media connections may have gone with it.
    this.listen.link.renew(false);
    this.speak.link.renew(false);
  }

  private onLasting(event: RoomEvent): void {
    const before = this.room;
    if (!before) return;
    const folded = fold(before, event, this.handle);
    if (folded.kind === 'gap') return this.events.restart();
    if (folded.kind === 'known') return;
    this.room = folded.room;
    if (event.type === 'speaker.muted' && event.handle === this.me && event.by !== this.me)
      this.wish = 'muted';
    this.options.onEvent?.(event, before, folded.room);
    if (event.type === 'room.ended') return this.leaveFor('ended');
    if (event.type === 'person.removed' && event.handle === this.me) return this.leaveFor('removed');
    this.afterChange();
  }

  private afterChange(): void {
    if (!this.mayTalk && this.speaking.kind !== 'idle') this.stopSpeaking();
    this.settleTrack();
  }

  private onPassing(event: string, data: Record<string, unknown>): void {
    const room = this.room;
    if (!room) return;
    if (event === 'audience' && typeof data['count'] === 'number')
      this.room = { ...room, audience: { ...room.audience, count: data['count'] } };
    else if (event === 'presence' && typeof data['handle'] === 'string')
      this.room = withPresence(room, data['handle'], data['connected'] === true);
    else if (event === 'levels') this.onLevels(data as Levels);
    else if (event === 'turn' && typeof data['handle'] === 'string')
      this.options.onTurn?.(data as unknown as TurnWarning, room);
    else if (event === 'reconnect') this.onReconnect(data as unknown as Reconnect);
  }

  private onLevels(levels: Levels): void {
    const now = Date.now();
    const usual = now - this.levelsAt;
    this.levels = levels;
    this.levelsAt = now;
    clearTimeout(this.fade);
    const ms = usual > LEVELS_FADE_MOST_MS ? LEVELS_FADE_MS : Math.max(LEVELS_FADE_MS, 2 * usual);
    this.fade = setTimeout(() => (this.levels = {}), ms);
  }

  private onReconnect({ connections, after_ms }: Reconnect): void {
    for (const { link } of [this.listen, this.speak])
      if (connections === 'all' || link.isNamed(connections)) link.renew(true, after_ms);
  }
}

function isGuest(room: Room): boolean {
  return room.you.role === 'guest';
}
