// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';

import GonePage from './GonePage.svelte';

afterEach(cleanup);

it('reports what happened, where that can be reported', async () => {
  const onreport = vi.fn();
  render(GonePage, { props: { why: 'removed', onreport } });
  await fireEvent.click(screen.getByTestId('report-gone'));
  expect(onreport).toHaveBeenCalledOnce();
  cleanup();
  render(GonePage, { props: { why: 'hidden' } });
  expect(screen.queryByTestId('report-gone')).toBeNull();
});

it('says nothing of a block', () => {
  const heading = () => screen.getByRole('heading').textContent;
  render(GonePage, { props: { why: 'removed' } });
  const removed = heading();
  cleanup();
  render(GonePage, { props: { why: 'closed' } });
  expect(heading()).toBe(removed);
});
