// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen, within } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { AT, person, settled } from '../../tests/given';
import { account, api } from '../account.svelte';
import { Problem } from '../protocol/problem';
import AdminPage from './AdminPage.svelte';

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});

afterEach(() => {
  cleanup();
  account.me = undefined;
  window.location.hash = '';
});

type Role = 'member' | 'administrator';
const me = (role: Role | undefined) => ({ id: 'root', ...person('root'), ...(role ? { role } : {}) });
const administered = (handle: string, given: object = {}) => ({
  ...person(handle),
  role: 'member',
  suspended: false,
  created_at: AT,
  ...given,
});

/** What the server answers, by method and path; what it was asked comes back. */
function serve(answers: Record<string, unknown>): [string, unknown][] {
  const asked: [string, unknown][] = [];
  vi.spyOn(api, 'json').mockImplementation(async (method, path, body) => {
    const name = `${method} ${path.split('?')[0]}`;
    // Asked on every part, beside what a test is about.
    if (name === 'GET /api/admin/rollout') return (answers[name] ?? { features: [] }) as never;
    asked.push([`${method} ${path}`, body]);
    const answer = answers[name];
    if (answer instanceof Error) throw answer;
    return (typeof answer === 'function' ? answer(path) : answer) as never;
  });
  return asked;
}

async function show(part: string, role: Role | undefined = 'administrator') {
  account.me = me(role);
  render(AdminPage, { props: { part } });
  await settled();
}

it('is nowhere for everybody else', async () => {
  const asked = serve({});
  await show('people', 'member');
  expect(screen.getByTestId('unknown')).toBeTruthy();
  cleanup();
  account.me = null;
  render(AdminPage, { props: { part: 'people' } });
  expect(screen.getByTestId('unknown')).toBeTruthy();
  cleanup();
  await show('nonsense');
  expect(screen.getByTestId('unknown')).toBeTruthy();
  expect(asked).toEqual([]);
});

it('asks who one is where signing in did not tell', async () => {
  serve({ 'GET /api/me': me('administrator'), 'GET /api/admin/people': { people: [], next: null } });
  await show('people', undefined);
  await settled();
  expect(screen.getByTestId('admin')).toBeTruthy();
});

it.each([true, false])('tells on every part whether a guard trips: %s', async (trips) => {
  const guards = [{ trips: false }, { trips }];
  serve({
    'GET /api/admin/people': { people: [], next: null },
    'GET /api/admin/rollout': { features: [{ guards }] },
  });
  await show('people');
  expect(screen.queryByRole('link', { name: /Rollout.*, a guard trips/ }) !== null).toBe(trips);
  expect(screen.getByTestId('part-audit').textContent).toBe('Audit log');
});

it('suspends for a reason, a branch where that is wished, and shows what came of it', async () => {
  const people = [administered('bob'), administered('root', { role: 'administrator' })];
  const asked = serve({
    'GET /api/admin/people': () => ({ people: [...people], next: null }),
    'POST /api/admin/people/bob/suspend': () => {
      people[0] = administered('bob', { suspended: true });
      return { suspended: 1 };
    },
  });
  await show('people');
  await fireEvent.click(screen.getByTestId('suspend-bob'));
  await fireEvent.input(screen.getByTestId('reason'), { target: { value: 'shouts' } });
  await fireEvent.click(screen.getByTestId('branch'));
  await fireEvent.submit(screen.getByTestId('do-it').closest('form') as HTMLFormElement);
  await settled();
  expect(asked[1]).toEqual(['POST /api/admin/people/bob/suspend', { reason: 'shouts', branch: true }]);
  expect(screen.getByTestId('suspend-bob').textContent).toBe('Restore');
  expect(within(screen.getByTestId('admin-people')).getByText('suspended')).toBeTruthy();
});

it('says why something could not be done, and keeps the reason', async () => {
  serve({
    'GET /api/admin/people': { people: [administered('root', { role: 'administrator' })], next: null },
    'POST /api/admin/people/root/role': new Problem(409, 'last_administrator', '', []),
  });
  await show('people');
  await fireEvent.click(screen.getByTestId('role-root'));
  await fireEvent.input(screen.getByTestId('reason'), { target: { value: 'tired' } });
  await fireEvent.submit(screen.getByTestId('do-it').closest('form') as HTMLFormElement);
  await settled();
  expect(screen.getByRole('alert', { hidden: true }).textContent).toBe('Nobody would be left to administer.');
  expect((screen.getByTestId('reason') as HTMLInputElement).value).toBe('tired');
});

it('asks again who it is before somebody becomes an administrator', async () => {
  let proved = false;
  const asked = serve({
    'GET /api/admin/people': { people: [administered('bob')], next: null },
    'GET /api/me/sign_in': { passkeys: [], password: true, email: null, recovery_codes: 0 },
    'GET /api/me/identities': { identities: [] },
    'POST /api/me/proof': () => void (proved = true),
    'POST /api/admin/people/bob/role': () => {
      if (!proved) throw new Problem(403, 'sign_in_again', '', []);
    },
  });
  await show('people');
  await fireEvent.click(screen.getByTestId('role-bob'));
  await fireEvent.input(screen.getByTestId('reason'), { target: { value: 'helps' } });
  await fireEvent.submit(screen.getByTestId('do-it').closest('form') as HTMLFormElement);
  await settled();
  await fireEvent.input(screen.getByTestId('prove-password'), { target: { value: 'mine' } });
  await fireEvent.submit(screen.getByTestId('prove-submit').closest('form') as HTMLFormElement);
  await settled();
  expect(asked.filter(([call]) => call === 'POST /api/admin/people/bob/role').length).toBe(2);
  expect(screen.queryByTestId('reason')).toBeNull();
});

it('brings page after page', async () => {
  const asked = serve({
    'GET /api/admin/people': (path: string) =>
      path.includes('cursor=ada')
        ? { people: [administered('bob')], next: null }
        : { people: [administered('ada')], next: 'ada' },
  });
  await show('people');
  await fireEvent.click(screen.getByTestId('admin-people-more'));
  await settled();
  expect(screen.getByText('@ada')).toBeTruthy();
  expect(screen.getByText('@bob')).toBeTruthy();
  expect(screen.queryByTestId('admin-people-more')).toBeNull();
  expect(asked.length).toBe(2);
});

it('ends a room', async () => {
  const room = {
    id: 'r1',
    title: 'Loud',
    access: 'open',
    host: person('ada'),
    speakers: 2,
    audience: 9,
    started_at: AT,
  };
  const asked = serve({
    'GET /api/admin/rooms': { rooms: [room], next: null },
    'POST /api/admin/rooms/r1/end': { silent: true },
  });
  await show('rooms');
  await fireEvent.click(screen.getByTestId('end-r1'));
  await fireEvent.input(screen.getByTestId('reason'), { target: { value: 'too loud' } });
  await fireEvent.submit(screen.getByTestId('do-it').closest('form') as HTMLFormElement);
  await settled();
  expect(asked[1]).toEqual(['POST /api/admin/rooms/r1/end', { reason: 'too loud' }]);
});

it('goes down the tree and back', async () => {
  serve({
    'GET /api/admin/invitations': (path: string) => ({
      people: path.endsWith('by=root')
        ? [{ ...administered('ada'), invited: 0 }]
        : [{ ...administered('root'), invited: 1 }],
    }),
  });
  await show('invitations');
  await fireEvent.click(screen.getByTestId('below-root'));
  await settled();
  expect(screen.getByText('@ada')).toBeTruthy();
  await fireEvent.click(screen.getByTestId('tree-roots'));
  await settled();
  expect(screen.getByText('@root')).toBeTruthy();
});

it('invites those whose turn it is, one or many', async () => {
  const waiting = { place: 7, email: 'ada@rooms.example', handle: 'ada', since: AT };
  const asked = serve({
    'GET /api/admin/waitlist': { count: 1, waiting: [waiting], next: null },
    'POST /api/admin/waitlist/approve': { invited: 1 },
  });
  await show('waitlist');
  expect(screen.getByTestId('waiting-count').textContent).toBe('1 person waits.');
  await fireEvent.click(screen.getByTestId('approve-7'));
  await settled();
  await fireEvent.input(screen.getByTestId('approve-number'), { target: { value: '3' } });
  await fireEvent.submit(screen.getByTestId('approve-first').closest('form') as HTMLFormElement);
  await settled();
  const approvals = asked.filter(([name]) => name.startsWith('POST')).map(([, body]) => body);
  expect(approvals).toEqual([{ places: [7] }, { first: 3 }]);
});

it('tells who did what and why', async () => {
  const entry = {
    seq: 2,
    at: AT,
    actor: null,
    by: 'command_line',
    action: 'suspend',
    kind: 'account',
    object: 'bob',
    reason: 'shouts',
  };
  serve({
    'GET /api/admin/audit': { entries: [entry], next: null },
    'GET /api/admin/audit/verify': { count: 2, broken_at: null, seal: 'abc', holds_seal: false },
  });
  await show('audit');
  await fireEvent.click(screen.getByTestId('verify'));
  await settled();
  expect(screen.getByTestId('verified').textContent).toContain('2 entries, all in order.');
  expect(screen.getByText('command line')).toBeTruthy();
  expect(screen.getByText('suspend account @bob')).toBeTruthy();
  expect(screen.getByText('shouts')).toBeTruthy();
});

it('tells how the server fares', async () => {
  const process = { id: 'abcdefghij', machine: 'here', alive: true, load: 0.25 };
  serve({
    'GET /api/admin/health': { ready: false, missing: ['bus'], processes: [process], streams: 3 },
  });
  await show('health');
  expect(screen.getByTestId('admin-ready').textContent?.trim()).toBe('Missing: bus.');
  expect(screen.getByText('25%')).toBeTruthy();
});

it('makes an administrator of who has the link', async () => {
  window.location.hash = '#secret';
  const answers: Record<string, unknown> = {
    'POST /api/admin/claim': new Problem(404, 'not_found', '', []),
    'GET /api/me': me('administrator'),
  };
  const asked = serve(answers);
  await show('claim', 'member');
  await fireEvent.click(screen.getByTestId('claim'));
  await settled();
  expect(screen.getByTestId('claim-fault').textContent).toContain('does not hold any more');
  answers['POST /api/admin/claim'] = undefined;
  await fireEvent.click(screen.getByTestId('claim'));
  await settled();
  expect(asked[1]).toEqual(['POST /api/admin/claim', { token: 'secret' }]);
  expect(account.me?.role).toBe('administrator');
  expect(window.location.pathname).toBe('/admin');
});
