// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen, within } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { AT, settled } from '../../tests/given';
import { api } from '../account.svelte';
import { Problem } from '../protocol/problem';
import Rollout from './Rollout.svelte';
import { plain } from './trials';

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});

afterEach(cleanup);

const plan = {
  stage: 'testers',
  percent: 0,
  testers: ['ada'],
  denied: [],
  thresholds: { followers: 0, age_days: 0 },
  policies: { testers: { guests: false } },
  guards: [],
};
const everyone = { ...plan, stage: 'everyone' };
const none = {
  rooms: 0,
  listeners: 0,
  listening_minutes: 0,
  removals_per_1000_hours: null,
  reports_per_1000_hours: null,
  failed_join_part: null,
  first_sound_ms: null,
  returned: null,
  liked: null,
};
const guard = { figure: 'liked', bound: 0.5, side: 'least', action: 'stop', measured: 0.25, trips: true };
const at = '/api/admin/rollout/hosting';

function serve(given: object = {}, answers: Record<string, unknown> = {}): [string, unknown][] {
  const asked: [string, unknown][] = [];
  const all: Record<string, unknown> = {
    [`GET ${at}`]: {
      version: 2,
      plan,
      following: { ...plan, stage: 'percent', percent: 5 },
      figures: none,
      guards: [],
      ...given,
    },
    [`GET ${at}/figures`]: {
      stages: [
        { ...none, version: 2, stage: 'testers', rooms: 3, listening_minutes: 90, liked: 0.25 },
        { ...none, version: 1, stage: 'everyone', rooms: 1, listening_minutes: 30, first_sound_ms: 412.3 },
      ],
    },
    [`GET ${at}/history`]: {
      versions: [
        { version: 2, plan, author: null, by: 'guard', reason: 'liked is 0.25', at: AT },
        { version: 1, plan: everyone, author: 'root', by: 'person', reason: 'open', at: AT },
        { version: 0, plan: everyone, author: null, by: 'settings', reason: '', at: null },
      ],
      next: null,
    },
    [`POST ${at}/preview`]: { accounts: 40, now: 1, then: 3, gained: 2, lost: 0 },
    ...answers,
  };
  vi.spyOn(api, 'json').mockImplementation(async (method, path, body) => {
    const name = `${method} ${path.split('?')[0]}`;
    asked.push([name, body]);
    if (all[name] instanceof Error) throw all[name];
    return all[name] as never;
  });
  return asked;
}

async function show() {
  render(Rollout);
  await settled();
}

async function confirm(reason: string) {
  await fireEvent.input(screen.getByTestId('reason'), { target: { value: reason } });
  await fireEvent.submit(screen.getByTestId('do-it').closest('form') as HTMLFormElement);
  await settled();
}

/** In the plan's form, up to the question why. */
async function choose(stage: string, percent?: string) {
  await fireEvent.change(screen.getByTestId('stage'), { target: { value: stage } });
  if (percent) await fireEvent.input(screen.getByTestId('percent'), { target: { value: percent } });
  await fireEvent.submit(screen.getByTestId('save-plan').closest('form') as HTMLFormElement);
  await settled();
}

it('promotes after it has said whom that lets in', async () => {
  const asked = serve();
  await show();
  expect(screen.getByTestId('rollout-now').textContent).toContain('testers');
  await fireEvent.click(screen.getByTestId('promote'));
  await settled();
  expect(screen.getByText(/Of 40 accounts 1 may open rooms now, and 3 then/)).toBeTruthy();
  expect(screen.queryByTestId('branch')).toBeNull();
  await confirm('it went well');
  const [, body] = asked.find(([name]) => name === `POST ${at}/promote`) ?? [];
  expect(body).toEqual({ expected: 2, reason: 'it went well', override: false });
});

it('shows that a guard stops it, and lets it be overridden', async () => {
  const refused = new Problem(409, 'guard_stops', '');
  const asked = serve({ guards: [guard] }, { [`POST ${at}/promote`]: refused });
  await show();
  const guards = within(screen.getByTestId('guards'));
  expect(guards.getByText('stops the trial')).toBeTruthy();
  expect(guards.getByText('at least 50%')).toBeTruthy();
  await fireEvent.click(screen.getByTestId('promote'));
  await settled();
  await confirm('all the same');
  expect(screen.getByRole('alert', { hidden: true }).textContent).toContain('A guard stops this step');
  await fireEvent.click(screen.getByTestId('branch'));
  await confirm('we know why');
  expect(asked.filter(([name]) => name.endsWith('promote')).map(([, body]) => body)).toEqual([
    { expected: 2, reason: 'all the same', override: false },
    { expected: 2, reason: 'we know why', override: true },
  ]);
});

it('goes back to any version', async () => {
  const asked = serve();
  await show();
  expect(screen.queryByTestId('back-2')).toBeNull();
  await fireEvent.click(screen.getByTestId('back-1'));
  await settled();
  await confirm('too early');
  const [, body] = asked.find(([name]) => name === `POST ${at}/rollback`) ?? [];
  expect(body).toEqual({ expected: 2, to: 1, reason: 'too early' });
});

it('goes back to what the settings say, the version before any other', async () => {
  const asked = serve();
  await show();
  await fireEvent.click(screen.getByTestId('back-0'));
  await settled();
  expect(asked.at(-1)).toEqual([`POST ${at}/preview`, { plan: everyone }]);
  await confirm('as it was');
  const [, body] = asked.find(([name]) => name === `POST ${at}/rollback`) ?? [];
  expect(body).toEqual({ expected: 2, to: 0, reason: 'as it was' });
});

it.each([
  ['root', 'person', '@root'],
  [null, 'command_line', 'command line'],
  [null, 'guard', 'a guard'],
])('tells who made a version: %s, %s', async (author, by, said) => {
  serve(
    {},
    {
      [`GET ${at}/history`]: { versions: [{ version: 2, plan, author, by, reason: '', at: AT }], next: null },
    },
  );
  await show();
  expect(within(screen.getByTestId('versions')).getByText(said)).toBeTruthy();
});

it.each([
  ['off', {}, { stage: 'off' }, 'Stage: everyone → nobody'],
  ['testers', {}, { stage: 'testers' }, 'Stage: everyone → testers'],
  ['percent', {}, { stage: 'percent', percent: 5 }, 'Stage: everyone → 5% of all'],
  ['percent', { percent: 25 }, { stage: 'percent', percent: 25 }, 'Stage: everyone → 25% of all'],
  ['percent', { typed: '12.5' }, { stage: 'percent', percent: 12.5 }, 'Stage: everyone → 12.5% of all'],
])('starts a trial at any stage: %s %o', async (stage, given, chosen, said) => {
  const now = { ...everyone, ...('percent' in given ? given : {}) };
  const asked = serve({ version: 0, plan: now, following: null });
  await show();
  expect(screen.queryByTestId('promote')).toBeNull();
  await choose(stage, 'typed' in given ? given.typed : undefined);
  expect(screen.getByText(said)).toBeTruthy();
  await confirm('a trial');
  const [, body] = asked.find(([name]) => name === `POST ${at}/change`) ?? [];
  expect(body).toMatchObject({ expected: 0, plan: chosen, reason: 'a trial', override: false });
});

it('asks about a guard only on the way further', async () => {
  const asked = serve({ guards: [guard] });
  await show();
  await choose('off');
  expect(screen.queryByTestId('branch')).toBeNull();
  cleanup();
  await show();
  await choose('everyone');
  await fireEvent.click(screen.getByTestId('branch'));
  await confirm('we know why');
  const [, body] = asked.find(([name]) => name === `POST ${at}/change`) ?? [];
  expect(body).toMatchObject({ plan: { stage: 'everyone' }, override: true });
});

it('compares stages by one figure, with all of them in a table', async () => {
  serve();
  await show();
  const widths = () => [...document.querySelectorAll('rect')].map((one) => Number(one.getAttribute('width')));
  expect(widths()).toEqual([170, expect.closeTo(170 / 3)]);
  await fireEvent.change(screen.getByTestId('compare'), { target: { value: 'first_sound_ms' } });
  expect(widths()).toEqual([0, 170]);
  const table = within(screen.getByTestId('stages'));
  expect(table.getByText('412 ms')).toBeTruthy();
  expect(table.getByText('25%')).toBeTruthy();
});

it('changes whom the plan names, and keeps the rest of it', async () => {
  const asked = serve();
  await show();
  await fireEvent.input(screen.getByTestId('testers'), { target: { value: '@Ada, bob\nbob' } });
  await fireEvent.submit(screen.getByTestId('save-plan').closest('form') as HTMLFormElement);
  await settled();
  await confirm('one more');
  const [, body] = asked.find(([name]) => name === `POST ${at}/change`) ?? [];
  expect(body).toEqual({
    expected: 2,
    plan: { ...plan, testers: ['ada', 'bob'], policies: { testers: { ...plain, guests: false } } },
    reason: 'one more',
    override: false,
  });
});

it('changes how a stage is used, and what stops it', async () => {
  const asked = serve({}, { [`POST ${at}/preview`]: { accounts: 40, now: 3, then: 2, gained: 0, lost: 1 } });
  await show();
  await fireEvent.input(screen.getByTestId('percent-minutes_at_most'), { target: { value: '45' } });
  await fireEvent.click(screen.getByTestId('percent-link'));
  await fireEvent.click(screen.getByTestId('percent-recording'));
  await fireEvent.click(screen.getByTestId('add-guard'));
  await fireEvent.input(screen.getByTestId('bound-0'), { target: { value: '0.1' } });
  await fireEvent.submit(screen.getByTestId('save-plan').closest('form') as HTMLFormElement);
  await settled();
  expect(screen.getByText(/1 person who may now may not then/)).toBeTruthy();
  await confirm('short rooms');
  const [, body] = asked.find(([name]) => name === `POST ${at}/change`) ?? [];
  expect((body as { plan: unknown }).plan).toMatchObject({
    policies: {
      testers: { guests: false, minutes_at_most: 0 },
      percent: {
        minutes_at_most: 45,
        access: ['open', 'followers', 'mutuals', 'invited'],
        recording: false,
      },
    },
    guards: [{ figure: 'failed_join_part', bound: 0.1, side: 'most', action: 'stop', enough: 60 }],
  });
});

it('says that it is for everyone, and what is not there yet', async () => {
  serve(
    { version: 0, plan: { ...plan, stage: 'everyone' }, following: null },
    { [`GET ${at}/figures`]: { stages: [] }, [`GET ${at}/history`]: { versions: [], next: null } },
  );
  await show();
  expect(screen.queryByTestId('promote')).toBeNull();
  expect(screen.getByText('It is for everyone.')).toBeTruthy();
  expect(screen.getByText('No room was opened in this trial yet.')).toBeTruthy();
  expect(screen.getByText('No guard watches this.')).toBeTruthy();
});
