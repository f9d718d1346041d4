/** The administration's calls about reports, measures, appeals and words, typed. */
import { api } from '../account.svelte';
import type { Lifecycle, Measure, Notice, Person, ReportReason } from '../protocol/types';
import type { Administered, Page } from './calls';

/** `taken_by` is a handle, empty for the command line. */
export interface Queued {
  id: string;
  about: Person | null;
  room: { id: string; title: string } | null;
  voices: number;
  reasons: Partial<Record<ReportReason, number>>;
  opened_at: string;
  state: 'open' | 'resolved' | 'dismissed';
  taken_by: string | null;
  closed_at: string | null;
  closed_by: string | null;
  outcome: Measure | 'dismissed' | null;
  reason: string | null;
}

/** What one reporter says, and who had the floor at the time they mean. */
export interface Voice {
  reporter: Person | null;
  reason: ReportReason;
  text: string;
  at: string;
  at_ms: number | null;
  floor: Person[];
}

export interface Done extends Notice {
  by: string;
  report: string | null;
}

export interface Case {
  report: Queued;
  account: Administered | null;
  invited_by: Person | null;
  room: {
    id: string;
    title: string;
    state: Lifecycle;
    host: Person | null;
    started_at: string | null;
    ended_at: string | null;
  } | null;
  voices: Voice[];
  measures: Done[];
  earlier: Queued[];
}

export interface WaitingAppeal {
  person: Person | null;
  measure: Done;
  /** The reader did it: somebody else decides. */
  yours: boolean;
}

export interface Word {
  word: string;
  by: string;
  at: string;
}

const path = (...steps: string[]) => ['/api/admin', ...steps.map(encodeURIComponent)].join('/');

export async function reports(
  closed: boolean,
  cursor: string | null,
): Promise<Page<Queued> & { open: number }> {
  const query = new URLSearchParams({ state: closed ? 'closed' : 'open', ...(cursor ? { cursor } : {}) });
  const found = await api.json<{ open: number; reports: Queued[]; next: string | null }>(
    'GET',
    `${path('reports')}?${query}`,
  );
  return { rows: found.reports, next: found.next, open: found.open };
}

export const show = (id: string) => api.json<Case>('GET', path('reports', id));
export const take = (id: string, anyway: boolean) =>
  api.json<unknown>('PUT', path('reports', id, 'taken'), { anyway });
export const release = (id: string) => api.json<unknown>('DELETE', path('reports', id, 'taken'));
export const dismiss = (id: string, reason: string) =>
  api.json<unknown>('POST', path('reports', id, 'dismiss'), { reason });
export const resolve = (id: string, measure: Measure, reason: string, until: string | null) =>
  api.json<unknown>('POST', path('reports', id, 'resolve'), { measure, reason, until });
export const act = (handle: string, measure: Measure, reason: string, until: string | null) =>
  api.json<unknown>('POST', path('people', handle, 'measures'), { measure, reason, until });

export async function appeals(): Promise<WaitingAppeal[]> {
  return (await api.json<{ appeals: WaitingAppeal[] }>('GET', path('appeals'))).appeals;
}

export const decide = (id: string, decision: 'upheld' | 'lifted', reason: string) =>
  api.json<unknown>('POST', path('appeals', id, 'decide'), { decision, reason });

export async function words(): Promise<Word[]> {
  return (await api.json<{ words: Word[] }>('GET', path('words'))).words;
}

export const addWord = (word: string) => api.json<unknown>('POST', path('words'), { word });
export const removeWord = (word: string) =>
  api.json<unknown>('DELETE', `${path('words')}?${new URLSearchParams({ word })}`);
