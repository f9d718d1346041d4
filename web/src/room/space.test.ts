// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it } from 'vitest';

import { talkBySpace } from './space';

let said: boolean[];
let who: { pushToTalk: boolean; talk(held: boolean): void } | null;
let stop: () => void;

beforeEach(() => {
  said = [];
  who = { pushToTalk: true, talk: (held) => said.push(held) };
  document.body.innerHTML = '<input /><button>Leave</button>';
  stop = talkBySpace(() => who);
});

afterEach(() => stop());

function press(type: 'keydown' | 'keyup', on = 'body', given: KeyboardEventInit = {}): boolean {
  const event = new KeyboardEvent(type, { code: 'Space', bubbles: true, cancelable: true, ...given });
  document.querySelector(on)?.dispatchEvent(event);
  return event.defaultPrevented;
}

it('talks from press to release, and presses no button by it', () => {
  expect(press('keydown', 'button')).toBe(true);
  expect(press('keydown', 'button', { repeat: true })).toBe(true);
  expect(said).toEqual([true]);
  expect(press('keyup', 'button')).toBe(true);
  expect(said).toEqual([true, false]);
});

it('is a space where one writes, and where nobody talks by it', () => {
  expect(press('keydown', 'input')).toBe(false);
  who = null;
  expect(press('keydown')).toBe(false);
  expect(press('keyup')).toBe(false);
  expect(said).toEqual([]);
});

it('closes when the window loses the keyboard', () => {
  press('keydown');
  window.dispatchEvent(new Event('blur'));
  expect(said).toEqual([true, false]);
  expect(press('keyup')).toBe(false);
  expect(said).toEqual([true, false]);
});
