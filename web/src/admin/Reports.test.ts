// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { AT, person, settled } from '../../tests/given';
import { account, api } from '../account.svelte';
import { Problem } from '../protocol/problem';
import AdminPage from './AdminPage.svelte';
import type { Queued } from './moderation';

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
  account.me = { id: 'root', ...person('root'), role: 'administrator' };
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  account.me = undefined;
});

const queued = (id: string, handle: string, given: Partial<Queued> = {}): Queued => ({
  id,
  about: person(handle),
  room: { id: 'r1', title: 'A room' },
  voices: 2,
  reasons: { spam: 1, hate: 1 },
  opened_at: AT,
  state: 'open',
  taken_by: null,
  closed_at: null,
  closed_by: null,
  outcome: null,
  reason: null,
  ...given,
});

/** A server with some reports; what it was told to change comes back. */
function serve(...reports: Queued[]) {
  const done: [string, unknown][] = [];
  vi.spyOn(api, 'json').mockImplementation(async (method, path, body) => {
    const [where = '', query = ''] = path.split('?');
    if (where.startsWith('/api/admin/evidence/')) throw new Problem(404, 'not_found', '');
    const id = where.split('/')[4] ?? '';
    const report = reports.find((one) => one.id === id);
    if (method !== 'GET') done.push([`${method} ${where}`, body]);
    if (method === 'PUT' && report) report.taken_by = 'root';
    if (method === 'DELETE' && report) report.taken_by = null;
    if (method === 'POST' && report)
      Object.assign(report, { state: 'resolved', closed_by: 'root', outcome: 'warn' });
    if (method !== 'GET') return undefined as never;
    if (where.startsWith('/api/admin/evidence/')) throw new Problem(404, 'not_found', '');
    if (report)
      return {
        report: { ...report },
        account: { ...report.about, role: 'member', suspended: false, created_at: AT },
        invited_by: person('eva'),
        room: {
          id: 'r1',
          title: 'A room',
          state: 'live',
          host: person('ada'),
          started_at: AT,
          ended_at: null,
        },
        voices: [
          {
            reporter: person('lia'),
            reason: 'spam',
            text: '<b>again</b>',
            at: AT,
            at_ms: 65_000,
            floor: [person('ada'), person('bob')],
          },
        ],
        measures: [],
        earlier: [],
      } as never;
    const closed = query.includes('closed');
    const rows = reports.filter((one) => (one.state !== 'open') === closed).map((one) => ({ ...one }));
    return { open: reports.filter((one) => one.state === 'open').length, reports: rows, next: null } as never;
  });
  return done;
}

async function show() {
  render(AdminPage, { props: { part: 'reports' } });
  await settled();
}

it('takes a report, acts on it for a reason, and goes on', async () => {
  const done = serve(queued('q1', 'bob'), queued('q2', 'carl'));
  await show();
  expect(screen.getByTestId('reports-open').textContent).toContain('2');
  const [first] = screen.getAllByTestId('report-row');
  await fireEvent.click(first as HTMLElement);
  await settled();
  expect(screen.getByTestId('case').textContent).toContain('<b>again</b>');
  expect(screen.getByTestId('case').textContent).toContain('1:05');
  expect(screen.getByTestId('case-floor').textContent).toContain('@ada');
  expect(screen.getByTestId('case-newest').textContent, 'one of two').toContain('2');
  expect(screen.queryByTestId('resolve'), 'only who has taken it acts').toBeNull();
  await fireEvent.click(screen.getByTestId('take'));
  await settled();
  await fireEvent.click(screen.getByTestId('resolve'));
  expect(screen.queryByTestId('measure-until'), 'a warning has no end').toBeNull();
  await fireEvent.click(screen.getByTestId('measure-suspend'));
  await fireEvent.change(screen.getByTestId('measure-until'), { target: { value: '0' } });
  await fireEvent.input(screen.getByTestId('measure-reason'), { target: { value: 'shouts' } });
  await fireEvent.submit(screen.getByTestId('measure-do').closest('form') as HTMLElement);
  await settled();
  expect(done).toEqual([
    ['PUT /api/admin/reports/q1/taken', { anyway: false }],
    ['POST /api/admin/reports/q1/resolve', { measure: 'suspend', reason: 'shouts', until: null }],
  ]);
  expect(screen.getAllByTestId('report-row')).toHaveLength(1);
  await fireEvent.click(screen.getByTestId('show-closed'));
  await settled();
  expect(screen.getByTestId('report-row').textContent).toContain('@root');
});

it('is led by keys', async () => {
  const done = serve(queued('q1', 'bob'), queued('q2', 'carl', { taken_by: 'other' }));
  await show();
  await fireEvent.keyDown(document.body, { key: 'j' });
  await settled();
  const [first, second] = screen.getAllByTestId('report-row');
  expect(document.activeElement).toBe(first);
  await fireEvent.keyDown(first as HTMLElement, { key: 'ArrowDown' });
  await settled();
  expect(document.activeElement).toBe(second);
  expect(second?.textContent).toContain('@other');
  await fireEvent.keyDown(document.body, { key: 'k' });
  await settled();
  await fireEvent.keyDown(document.body, { key: 't' });
  await settled();
  expect(screen.getByTestId('resolve')).toBeTruthy();
  await fireEvent.keyDown(document.body, { key: 'u' });
  await settled();
  expect(screen.queryByTestId('resolve')).toBeNull();
  expect(done.map(([what]) => what)).toEqual([
    'PUT /api/admin/reports/q1/taken',
    'DELETE /api/admin/reports/q1/taken',
  ]);
});

it('says that there is nothing to do', async () => {
  serve();
  await show();
  expect(screen.getByTestId('reports-none')).toBeTruthy();
});
