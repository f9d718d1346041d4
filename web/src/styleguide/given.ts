/** A room and its people for the styleguide, with names that are hard to write. */
import { aRoom } from '../../tests/given';
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

const speaker = { muted: false, connected: true, turn: null };

export const room: Room = aRoom('ada', {
  title: 'Should the old bridge be closed to cars?',
  host: ada,
  speakers: [
    { ...ada, ...speaker },
    { ...bob, ...speaker, muted: true },
    {
      ...mariam,
      ...speaker,
      connected: false,
      turn: { began_at: at(1), soft_at: at(-1), hard_at: at(-2) },
    },
  ],
  hands: [
    {
      ...wolfe,
      raised_at: at(12),
      note: 'What does the bridge cost us in a year, and who has paid until now?',
    },
    { ...emile, raised_at: at(0), note: '' },
  ],
  cohosts: ['bob'],
  audience: { count: 1234 },
  started_at: at(30),
});

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
