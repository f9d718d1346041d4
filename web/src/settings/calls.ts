/** What is one's own, and accounts elsewhere: calls that few pages make. */
import { api } from '../account.svelte';
import type { Account } from '../protocol/types';

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

/** Leaves this page for the other side's. */
export async function leaveFor(provider: string, server: string, link: boolean): Promise<void> {
  const sent = await api.json<{ url: string }>('POST', `/api/elsewhere/${provider}`, { server, link });
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

export const deleteAccount = (handle: string, password: string) =>
  api.json<unknown>('POST', '/api/me/deletion', { handle, ...(password ? { password } : {}) });

function arrivals(token: string): string {
  return `/api/elsewhere/arrivals/${encodeURIComponent(token)}`;
}
