// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import KeptNote from './KeptNote.svelte';

const shown = vi.fn();

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = shown;
});

afterEach(cleanup);

it('says what is kept, and on request how long and who hears it', async () => {
  render(KeptNote, { minutes: 5 });
  expect(screen.getByTestId('kept').textContent).toContain('last 5 minutes are kept, encrypted');
  expect(shown).not.toHaveBeenCalled();
  await fireEvent.click(screen.getByTestId('kept-more'));
  expect(shown).toHaveBeenCalledOnce();
  const words = screen.getByTestId('kept-words').textContent;
  for (const word of ['5 minutes', 'Ten minutes after the end', '30 days', 'administrators']) {
    expect(words).toContain(word);
  }
});
