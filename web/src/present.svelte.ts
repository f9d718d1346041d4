/**
 * Where one is present: the room whose page is on view, and the room whose sound goes on while one moves about.
 *
 * The invariant: at most one session sounds. A second one is only read until it sounds itself, which ends the first.
 */
import { untrack } from 'svelte';

import { account, api, recognise } from './account.svelte';
import { explain } from './language/problems';
import { say } from './language/say.svelte';
import { showNothing, showPlaying } from './media/controls';
import { exposed } from './media/exposed';
import { counted, QualityMeter, type Quality } from './media/quality';
import { report } from './media/statistics';
import { WakeLock } from './media/wakeLock';
import { announce, notify } from './notices.svelte';
import type { Room, RoomEvent, TurnWarning } from './protocol/types';
import { RoomSession } from './room/session.svelte';
import { talkBySpace } from './room/space';
import { ending, telling, type Telling } from './room/telling';

export type Left = Pick<Room, 'id' | 'title'>;

class Present {
  /** The session of the room page on view. */
  onView = $state.raw<RoomSession | null>(null);
  sounding = $state.raw<RoomSession | null>(null);
  /** How well it comes through, as long as it is connected. */
  quality = $state<Quality>('good');
  /** The room that one has been in for a while and has left last. */
  left = $state.raw<Left | null>(null);
}

const LOOK_EVERY_MS = 2000;
/** Whoever has only looked in is not asked how it was. */
const A_WHILE_MS = 60_000;

export const present = new Present();

/** The session of a room whose page comes into view: the one that sounds already, or a new one. `me`: where known. */
export function visit(roomId: string, me: string | null | undefined): RoomSession {
  const { onView, sounding } = present;
  const known = [onView, sounding].find((one) => one?.roomId === roomId && !one.gone);
  if (me !== undefined) known?.identify(me);
  const session = known ?? begin(roomId, me);
  if (onView !== session && onView !== sounding) onView?.close();
  present.onView = session;
  return session;
}

/** A room's page goes out of view. What sounds goes on. */
export function depart(session: RoomSession | null): void {
  if (session === present.onView) present.onView = null;
  if (session !== present.sounding) session?.close();
}

/** Turns one's own voice, or what one hears, on and off. */
export function turn(session: RoomSession, on: boolean): void {
  if (isOn(session) === on) return;
  if (session.voice === 'closed') return on ? void session.hear() : session.hush();
  if (on && (session.blocked || session.hushed)) void session.hear();
  (on ? session.unmute() : session.mute()).catch((error: unknown) => notify(explain(error), 'fault'));
}

/** Whether there is sound, as `turn` means it. */
export function isOn(session: RoomSession): boolean {
  if (session.voice === 'closed') return !session.hushed && !session.blocked;
  return session.voice === 'open' || session.voice === 'ready' || session.voice === 'opening';
}

/** Keeps the sounding room in step with all the page knows; to be called once, by the page's root. */
export function accompany(): void {
  $effect(() => {
    const { onView } = present;
    if (onView?.sounding) untrack(() => take(onView));
  });
  $effect(() => {
    const { sounding } = present;
    if (sounding && (!sounding.sounding || sounding.gone)) untrack(() => letGo(sounding));
  });
  $effect(() => {
    const me = account.me;
    if (me !== undefined) untrack(() => present.sounding?.identify(me?.handle ?? null));
  });

  const title = $derived(present.sounding?.room?.title ?? null);
  const host = $derived(present.sounding?.room?.host.name ?? '');
  const on = $derived(present.sounding !== null && isOn(present.sounding));
  const onStage = $derived(present.sounding !== null && present.sounding.voice !== 'closed');
  $effect(() => {
    const { sounding } = present;
    if (!sounding || title === null) return showNothing();
    showPlaying(
      { title, host, on, microphone: onStage ? on : null },
      { on: () => turn(sounding, true), off: () => turn(sounding, false), leave: () => sounding.leave() },
    );
  });

  const awake = new WakeLock();
  $effect(() => (onStage ? awake.hold() : awake.release()));
  $effect(() => (present.sounding ? watchQuality() : undefined));
  $effect(() => talkBySpace(() => (onStage ? present.sounding : null)));
}

/** Looks at both connections until the returned function is called; the worse of the two counts. */
function watchQuality(): () => void {
  const meters = { listen: new QualityMeter(), speak: new QualityMeter() };
  const looked: Record<'listen' | 'speak', RTCPeerConnection | null> = { listen: null, speak: null };
  const one = async (which: 'listen' | 'speak'): Promise<Quality> => {
    const peer = exposed[which];
    if (peer !== looked[which]) meters[which].begin();
    looked[which] = peer;
    return peer ? meters[which].look(Date.now(), counted(await report(peer))) : 'good';
  };
  const look = async () => {
    const found: Quality[] = await Promise.all([one('listen'), one('speak')]).catch(() => []);
    present.quality = found.includes('poor') ? 'poor' : 'good';
  };
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  return () => {
    clearInterval(timer);
    present.quality = 'good';
  };
}

function begin(roomId: string, me: string | null | undefined): RoomSession {
  const session = new RoomSession({
    roomId,
    api,
    me,
    onEvent: tell,
    onStranger: () => void recognise(),
    onReplaced: (label) => notify(say('microphone_replaced', { name: label || say('microphone_default') })),
    onTurn: warn,
  });
  session.open();
  return session;
}

function take(session: RoomSession): void {
  const { sounding } = present;
  if (sounding === session) return;
  if (sounding) noteLeft(sounding);
  sounding?.close();
  present.sounding = session;
  if (present.left?.id === session.roomId) present.left = null;
}

function letGo(session: RoomSession): void {
  present.sounding = null;
  noteLeft(session);
  if (session === present.onView) return;
  if (session.gone === 'ended') notify(say('gone_ended'));
  else if (session.gone) notify(say('gone_removed'));
  session.close();
}

/** Whoever was put out is not asked how it was. */
function noteLeft({ room, gone, heardMs }: RoomSession): void {
  if (!room || (gone && gone !== 'ended') || heardMs < A_WHILE_MS) return;
  present.left = { id: room.id, title: room.title };
}

function tell(event: RoomEvent, before: Room): void {
  utter(telling(event, before, account.me?.handle ?? null));
}

function warn(warning: TurnWarning, room: Room): void {
  utter(ending(warning, room, account.me?.handle ?? null), warning.left_s);
}

function utter(told: Telling | null, count = 0): void {
  if (!told) return;
  const text = say(told.key as 'said_turn_ends', { name: told.name ?? '', count });
  if (told.shown) notify(text);
  else announce(text);
}
