/** The calls of signing in, here and elsewhere, and of one's own settings, typed. */
import { api } from '../account.svelte';
import type { Account } from '../protocol/types';

export interface Ceremony<Options> {
  ticket: string;
  options: Options;
}

export interface Passkey {
  id: string;
  name: string;
  created_at: string;
  /** The beginning of an hour. */
  used_at: string | null;
}

export interface SignInWays {
  password: boolean;
  passkeys: Passkey[];
  email: string | null;
  pending_email: string | null;
  recovery_codes: number;
  recent_until: string | null;
}

export interface Device {
  id: string;
  browser: string | null;
  system: string | null;
  created_at: string;
  /** The beginning of an hour. */
  seen_at: string;
  current: boolean;
}

type SignedIn = { account: Account };

export const beginCeremony = <T>(purpose: string, body?: object) =>
  api.json<Ceremony<T>>('POST', `/api/ceremonies/${purpose}`, body);

export const signUpByPasskey = async (ticket: string, credential: unknown, invite?: string) =>
  (await api.json<SignedIn>('POST', '/api/accounts/by_passkey', { ticket, credential, ...given({ invite }) }))
    .account;
export const signInByPasskey = async (ticket: string, credential: unknown) =>
  (await api.json<SignedIn>('POST', '/api/sessions/by_passkey', { ticket, credential })).account;
export const signInByLink = async (token: string) =>
  (await api.json<SignedIn>('POST', '/api/sessions/by_link', { token })).account;
export const signInByCode = async (handle: string, code: string) =>
  (await api.json<SignedIn>('POST', '/api/sessions/by_code', { handle, code })).account;
export const askForLink = (email: string) => api.json<null>('POST', '/api/links', { email });
export const confirmAddress = (token: string) =>
  api.json<{ handle: string; email: string }>('POST', '/api/addresses/confirm', { token });

export const ways = () => api.json<SignInWays>('GET', '/api/me/sign_in');
export const addPasskey = (ticket: string, credential: unknown, name: string) =>
  api.json<Passkey>('POST', '/api/me/passkeys', { ticket, credential, name });
export const renamePasskey = (id: string, name: string) =>
  api.json<undefined>('PATCH', passkey(id), { name });
export const deletePasskey = (id: string) => api.json<undefined>('DELETE', passkey(id));
export const setPassword = (password: string, old?: string) =>
  api.json<undefined>('PUT', '/api/me/password', { password, ...given({ old }) });
export const removePassword = () => api.json<undefined>('DELETE', '/api/me/password');
export const setAddress = (email: string) => api.json<null>('PUT', '/api/me/email', { email });
export const removeAddress = () => api.json<undefined>('DELETE', '/api/me/email');
export const makeCodes = async () =>
  (await api.json<{ codes: string[] }>('POST', '/api/me/recovery_codes')).codes;
export const provePassword = (password: string) => api.json<undefined>('POST', '/api/me/proof', { password });
export const provePasskey = (ticket: string, credential: unknown) =>
  api.json<undefined>('POST', '/api/me/proof', { ticket, credential });

export const devices = async () => (await api.json<{ devices: Device[] }>('GET', '/api/me/devices')).devices;
export const signOutDevice = (id: string) =>
  api.json<undefined>('DELETE', `/api/me/devices/${encodeURIComponent(id)}`);
export const signOutOthers = async () =>
  (await api.json<{ ended: number }>('DELETE', '/api/me/devices')).ended;

// Words that one has blocked in one's rooms

export interface OwnWord {
  word: string;
  at: string;
}

export async function ownWords(): Promise<OwnWord[]> {
  return (await api.json<{ words: OwnWord[] }>('GET', '/api/me/words')).words;
}

export const blockWord = (word: string) => api.json<unknown>('POST', '/api/me/words', { word });
export const allowWord = (word: string) =>
  api.json<unknown>('DELETE', `/api/me/words?${new URLSearchParams({ word })}`);

// Accounts elsewhere, a copy of what is one's own, and its end

export interface Provider {
  id: 'oidc' | 'mastodon';
  name: string;
}

export interface Identity {
  provider: string;
  subject: string;
  name: string;
}

export interface Arrival {
  provider: string;
  known_as: string;
  handle: string;
  name: string;
  registration: 'open' | 'invite' | 'closed';
}

export const EXPORT = '/api/me/export';

export async function providers(): Promise<Provider[]> {
  return (await api.json<{ providers: Provider[] }>('GET', '/api/elsewhere')).providers;
}

/** Leaves this page for the other side's: to sign in, to `link` an account there, or to `prove` by one who one is. */
export async function leaveFor(provider: string, server: string, why?: 'link' | 'prove'): Promise<void> {
  const body = { server, ...(why ? { [why]: true } : {}) };
  const sent = await api.json<{ url: string }>('POST', `/api/elsewhere/${provider}`, body);
  window.location.assign(sent.url);
}

export const arrival = (token: string) => api.json<Arrival>('GET', arrivals(token));

export async function arrive(token: string, handle: string, name: string, invite: string): Promise<Account> {
  const body = { handle, name, ...(invite ? { invite } : {}) };
  return (await api.json<{ account: Account }>('POST', arrivals(token), body)).account;
}

export async function identities(): Promise<Identity[]> {
  return (await api.json<{ identities: Identity[] }>('GET', '/api/me/identities')).identities;
}

export const unlink = (one: Identity) =>
  api.json<unknown>('DELETE', `/api/me/identities/${one.provider}`, { subject: one.subject });

export const deleteAccount = (handle: string) => api.json<unknown>('POST', '/api/me/deletion', { handle });

function arrivals(token: string): string {
  return `/api/elsewhere/arrivals/${encodeURIComponent(token)}`;
}

function passkey(id: string): string {
  return `/api/me/passkeys/${encodeURIComponent(id)}`;
}

/** What is given of it: an empty text is nothing. */
function given(values: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((one): one is [string, string] => Boolean(one[1])));
}
