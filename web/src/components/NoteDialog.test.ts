// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { settled } from '../../tests/given';
import { Problem } from '../protocol/problem';
import NoteDialog from './NoteDialog.svelte';

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});
afterEach(cleanup);

function show(note = '') {
  const [onsave, onclose] = [vi.fn().mockResolvedValue(undefined), vi.fn()];
  render(NoteDialog, { props: { open: true, note, onsave, onclose } });
  const box = screen.getByTestId('note') as HTMLTextAreaElement;
  const type = (value: string) => fireEvent.input(box, { target: { value } });
  return { onsave, onclose, box, type, save: () => fireEvent.click(screen.getByTestId('note-save')) };
}

it('changes what stands beside the hand, also to nothing', async () => {
  const { onsave, onclose, box, type, save } = show('why?');
  expect(box.value).toBe('why?');
  await type('  and how?  ');
  await save();
  expect(onsave).toHaveBeenLastCalledWith('and how?');
  await settled();
  expect(onclose).toHaveBeenCalledOnce();
  await type('');
  await save();
  expect(onsave).toHaveBeenLastCalledWith('');
});

it('says how much is left, and saves nothing that is too long', async () => {
  const { onsave, type, save } = show();
  await type('😀'.repeat(139));
  expect(screen.getByText(/1 character left/)).toBeTruthy();
  await type('x'.repeat(141));
  await save();
  expect(onsave).not.toHaveBeenCalled();
});

it('keeps what is refused, and says why', async () => {
  const { onsave, onclose, box, type, save } = show();
  onsave.mockRejectedValueOnce(new Problem(422, 'word_blocked', '“idiot” is not allowed here.'));
  await type('You idiot');
  await save();
  await settled();
  expect(screen.getByTestId('note-fault').textContent).toBe('The word “idiot” is not allowed here.');
  expect([box.value, box.getAttribute('aria-invalid')]).toEqual(['You idiot', 'true']);
  expect(onclose).not.toHaveBeenCalled();
  await save();
  await settled();
  expect(screen.queryByTestId('note-fault')).toBeNull();
  expect(onclose).toHaveBeenCalledOnce();
});
