// @vitest-environment jsdom
import { beforeEach, expect, it } from 'vitest';

import { recall, remember } from './preferences';

beforeEach(() => localStorage.clear());

it('keeps each choice beside the others', () => {
  expect(recall()).toEqual({ microphone: '', pushToTalk: false });
  remember({ microphone: 'd1' });
  remember({ pushToTalk: true });
  expect(recall()).toEqual({ microphone: 'd1', pushToTalk: true });
});

it('takes nothing from what it did not write', () => {
  for (const kept of ['null', '7', 'no json', '{"microphone":7,"pushToTalk":"yes"}']) {
    localStorage.setItem('parola.speaking', kept);
    expect(recall()).toEqual({ microphone: '', pushToTalk: false });
  }
});
