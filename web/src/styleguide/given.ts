/** A room and its people for the styleguide, with names that are hard to write. */
import type { Person, Room } from '../protocol/types';
import type { RoomSession } from '../room/session.svelte';
import { youIn } from '../room/fold';

const at = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

export const people: Person[] = [
  { handle: 'ada', name: 'Ada Lovelace' },
  { handle: 'bob', name: 'Bob' },
  { handle: 'mariam', name: 'مريم الإسطرلابي' },
  { handle: 'wolfe', name: 'Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren' },
  { handle: 'emile', name: '😀 Émile' },
];

const [ada, bob, mariam, wolfe, emile] = people as [Person, Person, Person, Person, Person];

export const room: Room = {
  id: 'styleguide',
  url: 'http://localhost:8080/r/styleguide',
  title: 'Should the old bridge be closed to cars?',
  access: 'open',
  guests: true,
  state: 'live',
  host: ada,
  seq: 1,
  speakers: [
    { ...ada, muted: false, connected: true },
    { ...bob, muted: true, connected: true },
    { ...mariam, muted: false, connected: false },
  ],
  hands: [
    { ...wolfe, raised_at: at(12) },
    { ...emile, raised_at: at(0) },
  ],
  capacity: null,
  ends_at: null,
  hands_locked: false,
  offers: [],
  cohosts: ['bob'],
  audience: { count: 1234 },
  starts_at: null,
  started_at: at(30),
  ended_at: null,
  you: { role: 'host', may_speak: true, hand: false, muted: false, offered: false },
};

interface Bar {
  name: string;
  room: Room;
  session: RoomSession;
}

function bar(name: string, me: string | null, given: Partial<Room>, now: Partial<RoomSession>): Bar {
  const seen = { ...room, ...given };
  const session = {
    handle: me,
    listening: { kind: 'connected' },
    speaking: { kind: 'idle' },
    voice: 'closed',
    blocked: false,
    hushed: false,
    asking: false,
    pushToTalk: false,
    ownLevel: 0.5,
    ...now,
  };
  return { name, room: { ...seen, you: youIn(seen, me) }, session: session as RoomSession };
}

const onAir = { speaking: { kind: 'connected' } } as const;

export const bars: Bar[] = [
  bar('a guest arrives', null, {}, { listening: { kind: 'idle' } }),
  bar('the browser wants a tap', null, {}, { blocked: true }),
  bar('a guest listens', null, {}, {}),
  bar('a member listens', 'zoe', {}, {}),
  bar('a hand is up', 'wolfe', {}, {}),
  bar('the floor is offered', 'zoe', { offers: ['zoe'] }, {}),
  bar('the floor is granted', 'mariam', {}, {}),
  bar('on air', 'mariam', {}, { ...onAir, voice: 'open' }),
  bar('muted', 'bob', {}, { ...onAir, voice: 'muted' }),
  bar('held to talk', 'ada', {}, { ...onAir, voice: 'ready', pushToTalk: true }),
  bar('not started yet', 'ada', { state: 'scheduled' }, { listening: { kind: 'idle' } }),
];
