// @vitest-environment jsdom
import { expect, it } from 'vitest';

import { changesOf } from './changes';
import type { Plan } from './trials';

const plan: Plan = {
  stage: 'testers',
  percent: 0,
  testers: ['ada', 'bob'],
  denied: [],
  thresholds: { followers: 0, age_days: 0 },
  policies: { testers: { guests: false } },
  guards: [{ figure: 'liked', bound: 0.5, side: 'least', action: 'stop', enough: 60 }],
};

it('says nothing where nothing changes, however much of it is said', () => {
  expect(
    changesOf(plan, { ...plan, policies: { testers: { guests: false, hands: true }, percent: {} } }),
  ).toEqual([]);
});

it('says each thing that changes', () => {
  const after: Plan = {
    ...plan,
    stage: 'percent',
    percent: 5,
    testers: ['ada', 'eva'],
    thresholds: { followers: 3, age_days: 0 },
    policies: { percent: { minutes_at_most: 45, access: ['open', 'link'] } },
    guards: [{ figure: 'failed_join_part', bound: 0.05, side: 'most', action: 'warn', enough: 60 }],
  };
  expect(changesOf(plan, after)).toEqual([
    'Stage: testers → 5% of all',
    'Testers: +@eva −@bob',
    'Followers at least: 0 → 3',
    'Stage: testers, Guests may come: no → yes',
    'Stage: a part, Minutes at most (0: any): 0 → 45',
    'Stage: a part, Rooms may be: any → open, by link',
    'Guards: + Failed joins at most 5%, warns',
    'Guards: − Liked it at least 50%, stops',
  ]);
});
