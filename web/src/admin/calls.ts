/** The administration's calls, typed. */
import { api } from '../account.svelte';
import type { Person } from '../protocol/types';

export interface Administered extends Person {
  role: 'member' | 'administrator';
  suspended: boolean;
  created_at: string;
}

export interface Node extends Administered {
  invited: number;
}

export interface Live {
  id: string;
  title: string;
  access: string;
  host: Person;
  speakers: number;
  audience: number;
  started_at: string | null;
}

export interface Waiting {
  place: number;
  email: string;
  handle: string | null;
  since: string;
}

/** `actor` is null where nobody in particular did it. */
export interface Entry {
  seq: number;
  at: string;
  actor: string | null;
  by: 'person' | 'command_line' | 'guard' | 'rule';
  action: string;
  kind: string;
  object: string;
  reason: string;
}

export interface Health {
  ready: boolean;
  missing: string[];
  processes: { id: string; machine: string; alive: boolean; load: number }[];
  streams: number;
}

/** What members may give away, and whose turn comes by itself. */
export interface Inviting {
  each: number;
  more: number;
  days: number;
  more_at_most: number;
  life_days: number;
  waitlist_a_day: number;
  waitlist_days: number;
}

export interface Inviters {
  registration: 'open' | 'invite' | 'closed';
  version: number;
  policy: Inviting;
}

/** `by` is null where the server itself invites. */
export interface OpenInvitation {
  id: string;
  by: Person | null;
  created_at: string;
  expires_at: string | null;
}

export interface Page<T> {
  rows: T[];
  next: string | null;
}

export interface Turn {
  places?: number[];
  first?: number;
  before?: string;
}

export interface Spoke extends Person {
  from_ms: number;
  to_ms: number;
}

/** From `from_ms` on it is what was heard from `at` on; long silence in between is cut out. */
export interface Part {
  from_ms: number;
  at: string;
}

/** `length_ms` is null where it cannot be opened: the key is elsewhere, or it was changed. */
export interface Sealed {
  report_id: string;
  room_id: string;
  sealed_at: string;
  expires_at: string;
  length_ms: number | null;
  parts: Part[];
  spoke: Spoke[];
}

const path = (...steps: string[]) => ['/api/admin', ...steps.map(encodeURIComponent)].join('/');
const get = <T>(where: string) => api.json<T>('GET', where);
const put = <T>(where: string, body: object) => api.json<T>('PUT', where, body);
const post = <T>(where: string, body: object) => api.json<T>('POST', where, body);

export const claim = (token: string) => post<undefined>(path('claim'), { token });

export async function people(words: string, cursor: string | null): Promise<Page<Administered>> {
  const query = new URLSearchParams({ q: words, ...(cursor ? { cursor } : {}) });
  const found = await get<{ people: Administered[]; next: string | null }>(`${path('people')}?${query}`);
  return { rows: found.people, next: found.next };
}

export const suspend = (handle: string, reason: string, branch: boolean) =>
  post<unknown>(path('people', handle, 'suspend'), { reason, branch });
export const restore = (handle: string, reason: string) =>
  post<unknown>(path('people', handle, 'restore'), { reason });
export const setRole = (handle: string, role: Administered['role'], reason: string) =>
  post<unknown>(path('people', handle, 'role'), { role, reason });

export async function rooms(cursor: string | null): Promise<Page<Live>> {
  const found = await get<{ rooms: Live[]; next: string | null }>(
    `${path('rooms')}?${new URLSearchParams(cursor ? { cursor } : {})}`,
  );
  return { rows: found.rooms, next: found.next };
}

export const visit = (id: string, reason: string) => put<unknown>(path('rooms', id, 'visit'), { reason });
export const endRoom = (id: string, reason: string) => post<unknown>(path('rooms', id, 'end'), { reason });

/** Whom `by` invited; the roots for null. */
export async function invited(by: string | null): Promise<Node[]> {
  const query = new URLSearchParams(by ? { by } : {});
  return (await get<{ people: Node[] }>(`${path('invitations')}?${query}`)).people;
}

export async function openInvitations(cursor: string | null): Promise<Page<OpenInvitation>> {
  const found = await get<{ invitations: OpenInvitation[]; next: string | null }>(
    `${path('invitations', 'open')}?${new URLSearchParams(cursor ? { cursor } : {})}`,
  );
  return { rows: found.invitations, next: found.next };
}

/** `which`: its id, or the code in its link. */
export const revokeInvitation = (which: string, reason: string) =>
  post<unknown>(path('invitations', which, 'revoke'), { reason });

export const inviting = () => get<Inviters>(path('invitations', 'policy'));
export const setInviting = (expected: number, policy: Inviting, reason: string) =>
  put<Inviters>(path('invitations', 'policy'), { expected, policy, reason });

export async function inviteFounders(table: string): Promise<number> {
  return (await post<{ invited: number }>(path('waitlist', 'founders'), { table })).invited;
}

export async function waitlist(cursor: string | null): Promise<Page<Waiting> & { count: number }> {
  const found = await get<{ count: number; waiting: Waiting[]; next: number | null }>(
    `${path('waitlist')}?${new URLSearchParams(cursor ? { cursor } : {})}`,
  );
  return { rows: found.waiting, count: found.count, next: found.next === null ? null : String(found.next) };
}

export async function approve(turn: Turn): Promise<number> {
  return (await post<{ invited: number }>(path('waitlist', 'approve'), turn)).invited;
}

export async function audit(cursor: string | null): Promise<Page<Entry>> {
  const found = await get<{ entries: Entry[]; next: number | null }>(
    `${path('audit')}?${new URLSearchParams(cursor ? { cursor } : {})}`,
  );
  return { rows: found.entries, next: found.next === null ? null : String(found.next) };
}

export const evidence = (report: string) => get<Sealed>(path('evidence', report));

/** The address is good once: what it gives stays in this page, and nowhere else. */
export async function hearEvidence(report: string, reason: string): Promise<Blob> {
  const { url } = await post<{ url: string }>(path('evidence', report, 'listen'), { reason });
  return api.blob(url);
}
/** `broken_at`: the first entry that does not follow from those before it. */
export const verifyAudit = () =>
  get<{ count: number; broken_at: number | null; seal: string }>(path('audit', 'verify'));

export const health = () => get<Health>(path('health'));
