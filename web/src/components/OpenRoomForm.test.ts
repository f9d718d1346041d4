// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';

import { aRoom, settled } from '../../tests/given';
import { api } from '../account.svelte';
import OpenRoomForm from './OpenRoomForm.svelte';

afterEach(cleanup);

async function submit(start?: string) {
  window.scrollTo = vi.fn();
  const open = vi.spyOn(api, 'open').mockResolvedValue(aRoom('ada'));
  render(OpenRoomForm);
  await fireEvent.input(screen.getByTestId('open-title'), { target: { value: ' A talk ' } });
  if (start) await fireEvent.input(screen.getByTestId('open-start'), { target: { value: start } });
  const button = screen.getByTestId('open-submit');
  const label = button.textContent;
  await fireEvent.submit(button.closest('form') as HTMLFormElement);
  await settled();
  return { open, label };
}

it('opens a room at once', async () => {
  const { open, label } = await submit();
  expect(label).toBe('Open a room');
  expect(open).toHaveBeenCalledWith('A talk', 'open', true, undefined, undefined);
  expect(window.location.pathname).toBe('/r/r1');
});

it('plans a room for the reader’s own time', async () => {
  const { open, label } = await submit('2090-03-04T18:00');
  expect(label).toBe('Plan the room');
  expect(open).toHaveBeenCalledWith(
    'A talk',
    'open',
    true,
    new Date(2090, 2, 4, 18).toISOString(),
    undefined,
  );
});

it('takes no time that has passed', async () => {
  const { open } = await submit('2020-03-04T18:00');
  expect(open).not.toHaveBeenCalled();
  expect(screen.getByTestId('start-fault').textContent).toContain('has passed');
  expect(screen.getByTestId('open-later').closest('details')?.open).toBe(true);
});

it('says of each choice who may enter, and asks about guests where they can come', async () => {
  const open = vi.spyOn(api, 'open').mockResolvedValue(aRoom('ada'));
  window.scrollTo = vi.fn();
  render(OpenRoomForm);
  const select = screen.getByTestId('open-access') as HTMLSelectElement;
  expect([...select.options].map((one) => one.value)).toEqual([
    'open',
    'link',
    'followers',
    'mutuals',
    'invited',
  ]);
  const hint = () => document.getElementById(select.getAttribute('aria-describedby') ?? '')?.textContent;
  for (const [access, words, guests] of [
    ['link', 'Listed nowhere', true],
    ['mutuals', 'both of you follow', false],
    ['invited', 'Invite people', false],
    ['open', 'Listed for everyone', true],
  ] as const) {
    await fireEvent.change(select, { target: { value: access } });
    expect(hint()).toContain(words);
    expect(screen.queryByTestId('open-guests') !== null).toBe(guests);
  }
  await fireEvent.change(select, { target: { value: 'mutuals' } });
  await fireEvent.input(screen.getByTestId('open-listeners-at-most'), { target: { value: '25' } });
  await fireEvent.input(screen.getByTestId('open-title'), { target: { value: 'Us' } });
  await fireEvent.submit(select.closest('form') as HTMLFormElement);
  await settled();
  expect(open).toHaveBeenLastCalledWith('Us', 'mutuals', true, undefined, 25);
});
