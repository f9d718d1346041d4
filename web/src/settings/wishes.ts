/** The calls for how one is told that a room has started. */
import { api } from '../account.svelte';

export interface Wish {
  in_page: boolean;
  email: boolean;
  /** There is a confirmed one, to which mail may go. */
  has_address: boolean;
  /** Told also where no page is open; `id` is the hash of the browser's endpoint. */
  browsers: { id: string; since: string }[];
}

export interface NewBrowser {
  endpoint: string;
  keys: { p256dh: string; auth: string };
}

export const wishes = {
  read: () => api.json<Wish>('GET', '/api/me/notice_settings'),
  choose: (change: Partial<Pick<Wish, 'in_page' | 'email'>>) =>
    api.json<Wish>('PATCH', '/api/me/notice_settings', change),
  test: () => api.json<{ sent: number; failed: number }>('POST', '/api/me/notice_settings/test'),
  key: async () => (await api.json<{ key: string }>('GET', '/api/push/key')).key,
  subscribe: (browser: NewBrowser) => api.json<{ id: string }>('POST', '/api/me/push', browser),
  unsubscribe: (id: string) => api.json<unknown>('DELETE', `/api/me/push/${encodeURIComponent(id)}`),
  unsubscribeAll: () => api.json<unknown>('DELETE', '/api/me/push'),
  noMail: (token: string) => api.json<unknown>('POST', `/api/unsubscribe/${encodeURIComponent(token)}`),
};
