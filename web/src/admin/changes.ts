/** What one plan says otherwise than another, in words: a line for each thing. Pure. */
import type { Key } from './messages';
import { tell } from './say';
import {
  nameOf,
  plain,
  stageOf,
  written,
  type GuardRule,
  type Plan,
  type Policies,
  type Stage,
} from './trials';

const used: Stage[] = ['testers', 'percent', 'everyone'];
const labels: Record<keyof Policies, Key> = {
  speakers_at_most: 'policy_speakers',
  minutes_at_most: 'policy_minutes',
  cooling_off_minutes: 'policy_cooling_off',
  guests: 'policy_guests',
  hands: 'policy_hands',
  recording: 'policy_recording',
  access: 'policy_access',
};
const label = (key: Key) => tell(key as 'policy_speakers');

export function changesOf(before: Plan, after: Plan): string[] {
  const found: string[] = [];
  const note = (what: string, from: string, to: string) => {
    if (from !== to) found.push(tell('plan_change', { what, from, to }));
  };
  note(tell('stage'), stageOf(before), stageOf(after));
  for (const name of ['testers', 'denied'] as const) {
    const [come, gone] = [minus(after[name], before[name]), minus(before[name], after[name])];
    if (come.length + gone.length) {
      found.push(
        `${tell(name)}: ${[...come.map((one) => `+@${one}`), ...gone.map((one) => `−@${one}`)].join(' ')}`,
      );
    }
  }
  note(tell('least_followers'), String(before.thresholds.followers), String(after.thresholds.followers));
  note(tell('least_days'), String(before.thresholds.age_days), String(after.thresholds.age_days));
  for (const stage of used) {
    const [old, next] = [before, after].map((plan): Policies => ({ ...plain, ...plan.policies[stage] }));
    if (!old || !next) continue;
    for (const name of Object.keys(labels) as (keyof Policies)[]) {
      note(
        `${tell('policies_of', { stage: stageOf({ stage }) })}, ${label(labels[name])}`,
        worded(old[name]),
        worded(next[name]),
      );
    }
  }
  const [had, has] = [before.guards.map(inWords), after.guards.map(inWords)];
  for (const one of minus(has, had)) found.push(`${tell('guards')}: + ${one}`);
  for (const one of minus(had, has)) found.push(`${tell('guards')}: − ${one}`);
  return found;
}

function minus(one: string[], other: string[]): string[] {
  return one.filter((each) => !other.includes(each));
}

function worded(value: Policies[keyof Policies]): string {
  if (typeof value === 'boolean') return value ? tell('yes') : tell('no');
  if (Array.isArray(value))
    return value.length ? value.map((one) => label(`door_${one}`)).join(', ') : tell('any_of_them');
  return String(value);
}

function inWords(guard: GuardRule): string {
  const bound = tell(guard.side === 'most' ? 'at_most' : 'at_least', {
    bound: written(guard.figure, guard.bound),
  });
  return `${nameOf(guard.figure)} ${bound}, ${tell(guard.action === 'stop' ? 'guard_stop' : 'guard_warn')}`;
}
