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
  expect(open).toHaveBeenCalledWith('A talk', 'open', true, undefined);
  expect(window.location.pathname).toBe('/r/r1');
});

it('plans a room for the reader’s own time', async () => {
  const { open, label } = await submit('2090-03-04T18:00');
  expect(label).toBe('Plan the room');
  expect(open).toHaveBeenCalledWith('A talk', 'open', true, new Date(2090, 2, 4, 18).toISOString());
});

it('takes no time that has passed', async () => {
  const { open } = await submit('2020-03-04T18:00');
  expect(open).not.toHaveBeenCalled();
  expect(screen.getByTestId('start-fault').textContent).toContain('has passed');
  expect(screen.getByTestId('open-later').closest('details')?.open).toBe(true);
});
