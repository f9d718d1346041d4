/** Staged rollout: its calls, typed, and its figures in words. */
import { api } from '../account.svelte';
import { percent } from '../language/say.svelte';
import type { Access } from '../protocol/types';
import type { Page } from './calls';
import type { Key } from './messages';
import { tell } from './say';

export const order = ['off', 'testers', 'percent', 'everyone'] as const;
export type Stage = (typeof order)[number];

/** How a feature is used in one stage. An empty `access` is any; 0 minutes are any number. */
export interface Policies {
  speakers_at_most: number;
  minutes_at_most: number;
  access: Access[];
  guests: boolean;
  recording: boolean;
  hands: boolean;
  cooling_off_minutes: number;
}

export const accesses: Access[] = ['open', 'link', 'followers', 'mutuals', 'invited'];
/** What a stage has of which the plan says nothing. */
export const plain: Policies = {
  speakers_at_most: 500,
  minutes_at_most: 0,
  access: [],
  guests: true,
  recording: true,
  hands: true,
  cooling_off_minutes: 0,
};

/** People by their handles; what else there is comes back as it came. */
export interface Plan {
  stage: Stage;
  percent: number;
  testers: string[];
  denied: string[];
  thresholds: { followers: number; age_days: number };
  policies: Partial<Record<Stage, Partial<Policies>>>;
  guards: GuardRule[];
}

export const figures = [
  'rooms',
  'listeners',
  'listening_minutes',
  'removals_per_1000_hours',
  'reports_per_1000_hours',
  'failed_join_part',
  'first_sound_ms',
  'returned',
  'liked',
] as const;
export type Figure = (typeof figures)[number];
export type Figures = Record<Figure, number | null>;

/** What a guard may watch: rates, whatever the size of a stage. */
export const watched = figures.slice(3);

/** Trips beyond `bound`, and says nothing before `enough` minutes of listening. */
export interface GuardRule {
  figure: Figure;
  bound: number;
  side: 'most' | 'least';
  action: 'warn' | 'stop';
  enough: number;
}

export interface Guard extends GuardRule {
  measured: number | null;
  trips: boolean;
}

export interface Trial {
  version: number;
  plan: Plan;
  following: Plan | null;
  figures: Figures;
  guards: Guard[];
}

export interface Version {
  version: number;
  plan: Plan;
  /** A handle; null where `by` is no person. */
  author: string | null;
  /** `settings` for version 0, which nobody has made at any time. */
  by: 'person' | 'command_line' | 'guard' | 'settings';
  reason: string;
  at: string | null;
}

export interface Shown extends Figures {
  version: number;
  stage: Stage;
}

/** How many of all accounts are let in; `lost` are those who are now, and would not be then. */
export interface Change {
  accounts: number;
  now: number;
  then: number;
  gained: number;
  lost: number;
}

/** Whether a plan lets in more than another, so that a guard may stop it. */
export function goesFurther(before: Plan, after: Plan): boolean {
  const steps = order.indexOf(after.stage) - order.indexOf(before.stage);
  return steps > 0 || (steps === 0 && after.stage === 'percent' && after.percent > before.percent);
}

const root = '/api/admin/rollout';
const at = `${root}/hosting`;
const post = <T>(step: string, body: object) => api.json<T>('POST', `${at}/${step}`, body);

export const trial = () => api.json<Trial>('GET', at);
/** Whether a guard of any feature trips. */
export async function trips(): Promise<boolean> {
  const { features } = await api.json<{ features: Trial[] }>('GET', root);
  return features.some(({ guards }) => guards.some((one) => one.trips));
}
export const stages = async () => (await api.json<{ stages: Shown[] }>('GET', `${at}/figures`)).stages;
export const preview = (plan: Plan | null) => post<Change>('preview', plan ? { plan } : {});
export const promote = (expected: number, reason: string, override: boolean) =>
  post<Trial>('promote', { expected, reason, override });
export const change = (expected: number, plan: Plan, reason: string, override: boolean) =>
  post<Trial>('change', { expected, plan, reason, override });
export const rollBack = (expected: number, to: number, reason: string) =>
  post<Trial>('rollback', { expected, to, reason });

export async function versions(cursor: string | null): Promise<Page<Version>> {
  const query = new URLSearchParams(cursor ? { cursor } : {});
  const found = await api.json<{ versions: Version[]; next: number | null }>('GET', `${at}/history?${query}`);
  return { rows: found.versions, next: found.next === null ? null : String(found.next) };
}

export function stageOf(plan: { stage: Stage; percent?: number }): string {
  const names = {
    off: tell('stage_off'),
    testers: tell('stage_testers'),
    percent:
      plan.percent === undefined
        ? tell('stage_part')
        : tell('stage_percent', { percent: percent(plan.percent / 100) }),
    everyone: tell('stage_everyone'),
  };
  return names[plan.stage];
}

const names: Record<Figure, Key> = {
  rooms: 'figure_rooms',
  listeners: 'figure_listeners',
  listening_minutes: 'figure_listening_minutes',
  removals_per_1000_hours: 'figure_removals_per_1000_hours',
  reports_per_1000_hours: 'figure_reports_per_1000_hours',
  failed_join_part: 'figure_failed_join_part',
  first_sound_ms: 'figure_first_sound_ms',
  returned: 'figure_returned',
  liked: 'figure_liked',
};

export function nameOf(figure: Figure): string {
  return tell(names[figure] as 'figure_rooms');
}

/** A dash for what was not measured. */
export function written(figure: Figure, value: number | null): string {
  if (value === null) return '–';
  if (figure === 'failed_join_part' || figure === 'returned' || figure === 'liked') return percent(value);
  if (figure === 'first_sound_ms') return tell('milliseconds', { ms: Math.round(value) });
  return String(Math.round(value * 10) / 10);
}
