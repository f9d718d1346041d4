import { expect, it } from 'vitest';

import { aHand, aRoom, aSpeaker } from '../../tests/given';
import type { Room } from '../protocol/types';
import { mainAction, type Situation } from './action';

function action(room: Room, given: Partial<Situation> = {}) {
  return mainAction({
    room,
    listening: { kind: 'connected' },
    blocked: false,
    voice: 'closed',
    ...given,
  });
}

const bob = aSpeaker('bob');

it('is one thing for each role and moment', () => {
  expect(action(aRoom(null), { listening: { kind: 'idle' } })).toBe('listen');
  expect(action(aRoom(null))).toBe('sign_in');
  expect(action(aRoom('bob'), { listening: { kind: 'idle' } })).toBe('listen');
  expect(action(aRoom('bob'))).toBe('raise_hand');
  expect(action(aRoom('bob', { hands: [aHand('bob')] }))).toBe('lower_hand');
  expect(action(aRoom('bob', { offers: ['bob'] }), { listening: { kind: 'idle' } })).toBe('answer_offer');
  expect(action(aRoom('bob', { speakers: [bob] }))).toBe('take_floor');
  expect(action(aRoom('ada'), { listening: { kind: 'idle' } })).toBe('take_floor');
  expect(action(aRoom('ada', { state: 'scheduled' }))).toBe('start');
  expect(action(aRoom('bob', { state: 'scheduled' }))).toBe('wait');
});

it('follows the voice once the floor is taken', () => {
  const room = aRoom('bob', { speakers: [bob] });
  expect(action(room, { voice: 'open' })).toBe('mute');
  expect(action(room, { voice: 'muting' })).toBe('unmute');
  expect(action(room, { voice: 'muted' })).toBe('unmute');
});

it('keeps the button to talk by while it is held', () => {
  const room = aRoom('bob', { speakers: [bob] });
  expect(action(room, { voice: 'ready', pushToTalk: true })).toBe('talk');
  expect(action(room, { voice: 'open', pushToTalk: true })).toBe('talk');
  expect(action(room, { voice: 'muted', pushToTalk: true })).toBe('unmute');
});

it('puts sound before all else when the browser holds it back', () => {
  expect(action(aRoom('bob', { offers: ['bob'] }), { blocked: true })).toBe('hear');
});

it('offers to go on where the sound is paused, but not instead of the microphone', () => {
  expect(action(aRoom('bob'), { hushed: true })).toBe('hear');
  const room = aRoom('bob', { speakers: [bob] });
  expect(action(room, { hushed: true, voice: 'open' })).toBe('mute');
});
