// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';

import { api } from '../account.svelte';
import GonePage from '../pages/GonePage.svelte';

afterEach(() => {
  cleanup();
  localStorage.clear();
});

it('asks whoever was there, once, and thanks whatever becomes of the answer', async () => {
  const survey = vi.spyOn(api, 'survey').mockRejectedValue(new Error('away'));
  render(GonePage, { props: { why: 'ended', attended: 'r1' } });
  await fireEvent.click(screen.getByTestId('survey-no'));
  expect(survey).toHaveBeenCalledExactlyOnceWith('r1', false);
  expect(screen.getByRole('status').textContent).toBe('Thank you.');
  expect(screen.queryByTestId('survey')).toBeNull();
  cleanup();
  render(GonePage, { props: { why: 'ended', attended: 'r1' } });
  expect(screen.queryByTestId('survey')).toBeNull();
  cleanup();
  render(GonePage, { props: { why: 'ended', attended: 'r2' } });
  expect(screen.getByTestId('survey')).toBeTruthy();
});

it('asks nobody who was not there, or was put out', () => {
  render(GonePage, { props: { why: 'ended' } });
  expect(screen.queryByTestId('survey')).toBeNull();
  cleanup();
  render(GonePage, { props: { why: 'removed', attended: 'r1' } });
  expect(screen.queryByTestId('survey')).toBeNull();
});

it('asks where the browser keeps nothing, or nonsense', () => {
  localStorage.setItem('parola.answered', '{');
  render(GonePage, { props: { why: 'ended', attended: 'r1' } });
  expect(screen.getByTestId('survey')).toBeTruthy();
});
