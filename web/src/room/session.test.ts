// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { aHand, anAnswer, aRoom, aSpeaker, person, settled } from '../../tests/given';
import type { LinkState } from '../media/link';
import type { Microphone } from '../media/microphone';
import { MicrophoneError } from '../media/microphone';
import type { Listening, ListeningOptions } from '../media/whep';
import type { Speaking, SpeakingOptions } from '../media/whip';
import { Api } from '../protocol/api';
import { Problem } from '../protocol/problem';
import type { Details, Room } from '../protocol/types';
import { RoomSession } from './session.svelte';

/** A connection that says what it is told to. */
class FakeSound {
  isElsewhere: () => boolean = () => false;
  onState: (state: LinkState) => void = () => undefined;
  onFirst: NonNullable<ListeningOptions['onFirst']> = () => undefined;
  readonly calls: string[] = [];
  link = {
    location: null as string | null,
    renew: (gone: boolean, afterMs = 0) => void this.calls.push(`renew ${gone} ${afterMs}`),
    retryNow: () => undefined,
    isNamed: (ids: string[]) => ids.includes('mine'),
  };

  start() {
    this.calls.push('start');
    this.onState({ kind: 'connecting' });
    this.onState({ kind: 'connected' });
  }

  stop() {
    this.onState({ kind: 'idle' });
  }

  change() {
    this.calls.push('change');
    return Promise.resolve();
  }
}

class FakeMicrophone {
  track: { enabled: boolean; label: string } | null = null;
  deviceId = 'd1';
  level = 0.5;
  refusal: MicrophoneError | null = null;
  opened = 0;
  /** What the person has to decide first. */
  asks: Promise<void> = Promise.resolve();
  lost: () => void = () => undefined;

  async open() {
    await this.asks;
    if (this.refusal) throw this.refusal;
    this.opened++;
    this.track = { enabled: true, label: `Microphone ${this.opened}` };
    return this.track;
  }

  close() {
    this.track = null;
  }
}

const bob = aSpeaker('bob', { connected: false });
const onStage = (given: Partial<Room> = {}) =>
  aRoom('bob', { speakers: [aRoom().speakers[0] as never, bob], ...given });

let listen: FakeSound;
let speak: FakeSound;
let microphone: FakeMicrophone;
let session: RoomSession;
let answer: ReturnType<typeof anAnswer>;
let mutes: { done: () => void; refuse: (error: Error) => void; what: string }[];
let seq: number;
let heard: ReturnType<typeof vi.spyOn>;
let lowered: ReturnType<typeof vi.fn<Api['lowerHand']>>;
let asked: (location: string) => Promise<Details>;
let replaced: string[];

/** `unknown`: as a page opens, the room may answer before it is known who is here. */
async function enter(room: Room, me: string | null = 'bob') {
  answer = anAnswer();
  const api = new Api();
  const later = (what: string) => () =>
    new Promise<void>((resolve, reject) => mutes.push({ what, done: resolve, refuse: reject }));
  api.mute = later('mute');
  api.unmute = later('unmute');
  api.lowerHand = lowered;
  heard = vi.spyOn(api, 'heard').mockRejectedValue(new Problem(503, 'store_away', ''));
  api.details = (location) => asked(location);
  session = new RoomSession({
    roomId: 'r1',
    api,
    me: me === 'unknown' ? undefined : me,
    fetcher: (async () => answer.response) as unknown as typeof fetch,
    makeListening: ({ onState, onFirst }: ListeningOptions) => {
      listen.onState = onState;
      if (onFirst) listen.onFirst = onFirst;
      return listen as unknown as Listening;
    },
    makeSpeaking: ({ onState, isElsewhere }: SpeakingOptions) => {
      speak.onState = onState;
      speak.isElsewhere = isElsewhere;
      return speak as unknown as Speaking;
    },
    makeMicrophone: (lost) => {
      microphone.lost = lost;
      return microphone as unknown as Microphone;
    },
    onReplaced: (label) => replaced.push(label),
  });
  session.open();
  await settled();
  seq = room.seq;
  await snapshot(room);
}

async function snapshot(room: Room) {
  seq = room.seq;
  answer.write(`event: snapshot\nid: ${room.seq}\ndata: ${JSON.stringify(room)}\n\n`);
  await settled();
}

async function happens(type: string, handle: string, by = 'ada') {
  seq++;
  const data = { seq, at: '2026-03-04T05:06:08Z', by, ...person(handle) };
  answer.write(`event: ${type}\nid: ${seq}\ndata: ${JSON.stringify(data)}\n\n`);
  await settled();
}

async function passes(type: string, data: unknown) {
  answer.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  await settled();
}

/** From now on the browser asks before it opens a microphone; call what is returned to allow it. */
function laterOn(): () => void {
  let allow: () => void = () => undefined;
  microphone.asks = new Promise((resolve) => (allow = resolve));
  return () => allow();
}

beforeEach(() => {
  vi.useFakeTimers();
  [listen, speak, microphone, mutes] = [new FakeSound(), new FakeSound(), new FakeMicrophone(), []];
  replaced = [];
  lowered = vi.fn<Api['lowerHand']>().mockRejectedValue(new Problem(503, 'store_away', ''));
});

afterEach(() => {
  session.close();
  vi.useRealTimers();
});

describe('who one is', () => {
  it('is no news where the room said the same before', async () => {
    await enter(aRoom('bob'), 'unknown');
    expect(session.room?.you.role).toBe('listener');
    session.identify('bob');
    expect(listen.calls).toEqual([]);
    expect(session.handle).toBe('bob');
  });

  it('begins anew where the room took one for somebody else', async () => {
    await enter(aRoom(null), 'unknown');
    session.identify('bob');
    expect(listen.calls).toEqual(['renew false 0']);
  });
});

describe('the first sound', () => {
  it('is told a while later, once, whatever is answered', async () => {
    await enter(aRoom('bob'));
    expect(session.attended).toBe(false);
    session.startListening();
    listen.onFirst('c1', 412);
    listen.onFirst('c2', 90_000);
    expect(heard).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(heard).toHaveBeenCalledExactlyOnceWith('r1', 'c1', 412);
    expect(session.attended).toBe(true);
  });

  it('is kept to oneself where one has left', async () => {
    await enter(aRoom('bob'));
    listen.onFirst('c1', 412);
    session.close();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(heard).not.toHaveBeenCalled();
  });
});

describe('the floor', () => {
  it('opens no microphone when it is granted, only when it is taken', async () => {
    await enter(aRoom('bob'));
    await session.takeFloor();
    expect(microphone.opened).toBe(0);
    await happens('floor.granted', 'bob');
    expect(microphone.opened).toBe(0);
    expect(session.voice).toBe('closed');
    await session.takeFloor();
    expect(session.voice).toBe('open');
    expect(microphone.track?.enabled).toBe(true);
    expect(listen.calls).toContain('start');
  });

  it('closes the microphone when the floor goes', async () => {
    await enter(onStage());
    await session.takeFloor();
    await happens('floor.revoked', 'bob');
    expect(microphone.track).toBeNull();
    expect(session.voice).toBe('closed');
    expect(session.listening.kind).toBe('connected');
  });

  it('closes the microphone at once if the floor went while the browser asked', async () => {
    await enter(onStage());
    const taking = session.takeFloor();
    session.room = aRoom('bob');
    await taking;
    expect(microphone.track).toBeNull();
    expect(speak.calls).toEqual([]);
  });

  it.each(['leave', 'close'] as const)(
    'opens none for one who left while the browser asked (%s)',
    async (act) => {
      await enter(onStage());
      const allow = laterOn();
      const taking = session.takeFloor();
      session[act]();
      allow();
      await taking;
      expect(microphone.track).toBeNull();
      expect(speak.calls).toEqual([]);
    },
  );

  it('keeps none where the floor went while another was on its way', async () => {
    await enter(onStage());
    await session.takeFloor();
    const allow = laterOn();
    const changing = session.chooseMicrophone('d2');
    await happens('floor.revoked', 'bob');
    allow();
    await changing;
    expect(microphone.track).toBeNull();
    expect(speak.calls).toEqual(['start']);
  });

  it('goes on with another one when it vanishes, as muted as before, and says which', async () => {
    await enter(onStage());
    await session.takeFloor();
    void session.mute();
    microphone.lost();
    await settled();
    expect(microphone.track?.enabled).toBe(false);
    expect(speak.calls).toEqual(['start', 'change']);
    expect(replaced).toEqual(['Microphone 2']);
  });

  it('closes where it vanishes and there is no other', async () => {
    await enter(onStage());
    await session.takeFloor();
    microphone.refusal = new MicrophoneError('absent');
    microphone.lost();
    await settled();
    expect([session.voice, session.fault, replaced]).toEqual(['closed', 'absent', []]);
  });

  it('says why there is no microphone', async () => {
    await enter(onStage());
    microphone.refusal = new MicrophoneError('busy');
    await session.takeFloor();
    expect(session.fault).toBe('busy');
    expect(session.voice).toBe('closed');
  });
});

describe('a hand that is up', () => {
  it('goes down with one who leaves', async () => {
    await enter(aRoom('bob', { hands: [aHand('bob')] }));
    session.leave();
    expect(lowered).toHaveBeenCalledExactlyOnceWith('r1');
  });

  it('stays up where only the page goes, and is nothing of who has none', async () => {
    await enter(aRoom('bob', { hands: [aHand('bob')] }));
    window.dispatchEvent(new Event('pagehide'));
    session.close();
    await enter(aRoom('bob', { hands: [aHand('carla')] }));
    session.leave();
    expect(lowered).not.toHaveBeenCalled();
  });
});

describe('muting', () => {
  it('is silent here at once and says so when the room has answered', async () => {
    await enter(onStage());
    await session.takeFloor();
    const muting = session.mute();
    expect(microphone.track?.enabled).toBe(false);
    expect(session.voice).toBe('muting');
    await happens('speaker.muted', 'bob', 'bob');
    expect(session.voice).toBe('muting');
    mutes[0]?.done();
    await muting;
    expect(session.voice).toBe('muted');
  });

  it('admits when the room has not confirmed it', async () => {
    await enter(onStage());
    await session.takeFloor();
    const muting = session.mute();
    mutes[0]?.refuse(new Problem(503, 'not_confirmed', ''));
    await expect(muting).rejects.toBeInstanceOf(Problem);
    expect(session.voice).toBe('unconfirmed');
    expect(microphone.track?.enabled).toBe(false);
  });

  it('opens the microphone only when the room has unmuted it', async () => {
    await enter(onStage());
    await session.takeFloor();
    await happens('speaker.muted', 'bob', 'ada');
    expect(session.voice).toBe('muted');
    expect(microphone.track?.enabled).toBe(false);
    const unmuting = session.unmute();
    expect(session.voice).toBe('opening');
    expect(microphone.track?.enabled).toBe(false);
    await happens('speaker.unmuted', 'bob', 'bob');
    mutes[0]?.done();
    await unmuting;
    expect(session.voice).toBe('open');
    expect(microphone.track?.enabled).toBe(true);
  });

  it('stays shut when another of one’s pages unmutes', async () => {
    await enter(onStage());
    await session.takeFloor();
    await happens('speaker.muted', 'bob', 'ada');
    await happens('speaker.unmuted', 'bob', 'bob');
    expect(microphone.track?.enabled).toBe(false);
    expect(session.voice).toBe('muted');
  });

  it('stays shut when unmuting fails', async () => {
    await enter(onStage());
    await session.takeFloor();
    await happens('speaker.muted', 'bob', 'ada');
    const unmuting = session.unmute();
    mutes[0]?.refuse(new Problem(409, 'not_speaking', ''));
    await expect(unmuting).rejects.toBeInstanceOf(Problem);
    expect(session.voice).toBe('muted');
    expect(microphone.track?.enabled).toBe(false);
  });

  it('starts muted for someone who was muted before taking the floor', async () => {
    await enter(onStage({ speakers: [{ ...bob, muted: true }] }));
    await session.takeFloor();
    expect(session.voice).toBe('muted');
    expect(microphone.track?.enabled).toBe(false);
  });
});

describe('coming back', () => {
  it('renews both connections after a snapshot in mid-stream', async () => {
    await enter(onStage());
    await session.takeFloor();
    expect(listen.calls).toEqual(['start']);
    await snapshot(onStage({ seq: 9 }));
    expect(listen.calls).toContain('renew false 0');
    expect(speak.calls).toContain('renew false 0');
  });

  it('renews what a reconnect event names', async () => {
    await enter(onStage());
    await passes('reconnect', { connections: ['other'], after_ms: 20 });
    expect(listen.calls).toEqual([]);
    await passes('reconnect', { connections: ['mine'], after_ms: 20 });
    await passes('reconnect', { connections: 'all', after_ms: 30 });
    expect(listen.calls).toEqual(['renew true 20', 'renew true 30']);
  });

  it('renews when the network has changed', async () => {
    await enter(onStage());
    window.dispatchEvent(new Event('online'));
    expect(listen.calls).toEqual(['renew false 0']);
  });
});

describe('talking while one holds a key', () => {
  afterEach(() => localStorage.clear());

  it('opens the track for as long, without asking the room, and is remembered', async () => {
    await enter(onStage());
    session.choosePushToTalk(true);
    await session.takeFloor();
    expect(session.voice).toBe('ready');
    expect(microphone.track?.enabled).toBe(false);
    session.talk(true);
    expect(session.voice).toBe('open');
    expect(microphone.track?.enabled).toBe(true);
    session.talk(false);
    expect(microphone.track?.enabled).toBe(false);
    expect(mutes).toEqual([]);
    session.close();
    await enter(onStage());
    expect(session.pushToTalk).toBe(true);
  });

  it('never talks through a mute, and not after it without being held anew', async () => {
    await enter(onStage());
    session.choosePushToTalk(true);
    await session.takeFloor();
    session.talk(true);
    void session.mute();
    expect(microphone.track?.enabled).toBe(false);
    mutes.shift()?.done();
    await settled();
    session.talk(true);
    expect(session.voice).toBe('muted');
    expect(microphone.track?.enabled).toBe(false);
    session.talk(false);
    void session.unmute();
    mutes.shift()?.done();
    await settled();
    expect(session.voice).toBe('ready');
    expect(microphone.track?.enabled).toBe(false);
    session.choosePushToTalk(false);
    expect(session.voice).toBe('open');
  });

  it('does not outlast the floor', async () => {
    await enter(onStage());
    session.choosePushToTalk(true);
    await session.takeFloor();
    session.talk(true);
    session.stopSpeaking();
    await session.takeFloor();
    expect(session.voice).toBe('ready');
  });
});

it('is closed, and can be taken anew, once one speaks from elsewhere', async () => {
  await enter(onStage());
  await session.takeFloor();
  speak.onState({ kind: 'failed', reason: 'elsewhere', at: null, problem: null });
  expect(session.voice).toBe('closed');
  expect(microphone.track).toBeNull();
  await session.takeFloor();
  expect(session.voice).toBe('open');
});

it('takes a close in good order for a restart while the stream has just come back', async () => {
  await enter(onStage());
  expect(speak.isElsewhere()).toBe(true);
  const before = answer;
  answer = anAnswer();
  before.end();
  await settled();
  expect(speak.isElsewhere()).toBe(false);
  await vi.advanceTimersByTimeAsync(1000);
  expect(session.stream.kind).toBe('open');
  expect(speak.isElsewhere()).toBe(false);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(speak.isElsewhere()).toBe(true);
});

describe('what passes', () => {
  it('keeps count, presence and levels', async () => {
    await enter(onStage());
    await passes('audience', { count: 12 });
    await passes('presence', { handle: 'bob', connected: true });
    await passes('levels', { bob: 0.4 });
    expect(session.room?.audience.count).toBe(12);
    expect(session.room?.speakers[1]?.connected).toBe(true);
    expect(session.levels).toEqual({ bob: 0.4 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(session.levels).toEqual({});
  });

  it('shrugs at what it does not understand', async () => {
    await enter(onStage());
    await passes('audience', { count: 'many' });
    answer.write('event: levels\ndata: not json\n\n');
    await passes('fireworks', { colour: 'red' });
    expect(session.room?.audience.count).toBe(0);
  });
});

it('counts how long one has listened', async () => {
  await enter(aRoom('bob'));
  session.startListening();
  await vi.advanceTimersByTimeAsync(30_000);
  listen.onState({ kind: 'connecting' });
  await vi.advanceTimersByTimeAsync(5000);
  listen.onState({ kind: 'connected' });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(session.heardMs).toBe(40_000);
  session.leave();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(session.heardMs).toBe(40_000);
});

describe('the end', () => {
  it('is said for a room that ends, and all sound stops', async () => {
    await enter(onStage());
    await session.takeFloor();
    await happens('room.ended', 'ada');
    expect(session.gone).toBe('ended');
    expect(session.listening.kind).toBe('idle');
    expect(microphone.track).toBeNull();
  });

  it('is said for whoever is removed', async () => {
    await enter(aRoom('bob'));
    await happens('person.removed', 'carla');
    expect(session.gone).toBeNull();
    await happens('person.removed', 'bob');
    expect(session.gone).toBe('removed');
  });

  it('is said when the sound is refused for that reason', async () => {
    await enter(aRoom('bob'));
    listen.onState({ kind: 'failed', reason: 'refused', at: null, problem: new Problem(403, 'removed', '') });
    expect(session.gone).toBe('removed');
  });

  it('is told apart from a room that is known no more', async () => {
    const now = Date.now();
    await enter(aRoom('bob'));
    listen.onState({
      kind: 'failed',
      reason: 'refused',
      at: null,
      problem: new Problem(404, 'not_found', ''),
    });
    expect([session.gone, session.goneAt]).toEqual(['closed', now]);
  });
});

it('is another caller’s session after signing in', async () => {
  await enter(aRoom(null), null);
  expect(session.room?.you.role).toBe('guest');
  session.identify('bob');
  expect(session.room?.you.role).toBe('listener');
  expect(listen.calls).toEqual(['renew false 0']);
});

it('asks for the details of the connections that there are, and bears no answer', async () => {
  await enter(onStage());
  expect(await session.details()).toEqual({ listen: null, speak: null });
  const told = { kind: 'whep', loss: 0.1 };
  listen.link.location = '/whep/c1';
  speak.link.location = '/whip/c2';
  asked = async (location) => {
    if (location === '/whip/c2') throw new Problem(404, 'not_found', '');
    return told as Details;
  };
  expect(await session.details()).toEqual({ listen: told, speak: null });
});
