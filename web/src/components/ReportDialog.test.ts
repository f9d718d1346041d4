// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { settled } from '../../tests/given';
import { api } from '../account.svelte';
import { Problem } from '../protocol/problem';
import ReportDialog, { type Reporting } from './ReportDialog.svelte';

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

function show(reporting: Reporting) {
  const onclose = vi.fn();
  const sent = vi.spyOn(api, 'report').mockResolvedValue({} as never);
  render(ReportDialog, { props: { reporting, onclose } });
  return { onclose, sent };
}

const choose = (reason: string) =>
  fireEvent.change(screen.getByTestId('report-reason'), { target: { value: reason } });
const send = async () => {
  await fireEvent.submit(screen.getByTestId('report-form'));
  await settled();
};

it('sends the moment, or the room as a whole', async () => {
  const { onclose, sent } = show({ about: { room: 'r1' }, name: 'A room', moment: 65_432.7 });
  expect(screen.getByText(/1:05/)).toBeTruthy();
  await send();
  expect(sent, 'a reason is needed').not.toHaveBeenCalled();
  await choose('hate');
  await fireEvent.input(screen.getByTestId('report-text'), { target: { value: ' What he said. ' } });
  await send();
  expect(sent).toHaveBeenCalledWith({ room: 'r1', at_ms: 65_432 }, 'hate', 'What he said.');
  expect(onclose).toHaveBeenCalledOnce();
  cleanup();
  const whole = show({ about: { room: 'r1' }, name: 'A room', moment: 5 });
  await fireEvent.click(screen.getByTestId('report-whole'));
  await choose('spam');
  await send();
  expect(whole.sent).toHaveBeenLastCalledWith({ room: 'r1' }, 'spam', '');
});

it('says that a moment is over', async () => {
  show({ about: { room: 'r1' }, name: 'A room', moment: 65_432, over: true });
  expect(screen.getByText(/just before \(1:05/)).toBeTruthy();
});

it('knows of no moment where there is no room, and stays open where it was refused', async () => {
  const { onclose, sent } = show({ about: { handle: 'bob' }, name: 'Bob' });
  expect(screen.queryByTestId('report-moment')).toBeNull();
  sent.mockRejectedValue(new Problem(429, 'too_many', ''));
  await choose('other');
  await send();
  expect(screen.getByRole('alert', { hidden: true })).toBeTruthy();
  expect(onclose).not.toHaveBeenCalled();
});

it('takes no more words than anybody reads', async () => {
  const { sent } = show({ about: { handle: 'bob' }, name: 'Bob' });
  await choose('other');
  await fireEvent.input(screen.getByTestId('report-text'), { target: { value: 'x'.repeat(1001) } });
  await send();
  expect(sent).not.toHaveBeenCalled();
  expect(screen.getByTestId('report-text').getAttribute('aria-invalid')).toBe('true');
});
