import { expect, it } from 'vitest';

import { Api } from './api';
import { Problem, Unreachable } from './problem';

function answering(...answers: (Response | Error)[]) {
  const calls: { path: string; init: RequestInit }[] = [];
  const api = new Api((async (path: string, init: RequestInit) => {
    calls.push({ path, init });
    const answer = answers.shift();
    if (!answer || answer instanceof Error) throw answer ?? new TypeError('refused');
    return answer;
  }) as unknown as typeof fetch);
  return { api, calls };
}

it('turns a refusal into a problem with its code, fields and patience', async () => {
  const { api } = answering(
    new Response(
      JSON.stringify({ code: 'invalid', detail: 'no', errors: [{ field: 'handle', message: 'too short' }] }),
      { status: 422, headers: { 'Retry-After': '3' } },
    ),
  );
  const refused: unknown = await api.signUp('a', 'A', 'secret').catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Problem);
  expect(refused).toMatchObject({ status: 422, code: 'invalid', retryAfterMs: 3000, passing: false });
  expect((refused as Problem).errors[0]?.field).toBe('handle');
});

it('copes with an error that is no problem document', async () => {
  const { api } = answering(new Response('<h1>Bad Gateway</h1>', { status: 502 }));
  await expect(api.room('r')).rejects.toMatchObject({ status: 502, code: '502', passing: true });
});

it('tells a lost server from a refusal', async () => {
  const { api } = answering(new TypeError('Failed to fetch'));
  await expect(api.room('r')).rejects.toBeInstanceOf(Unreachable);
});

it('knows a guest by 401', async () => {
  const { api } = answering(new Response('{"code":"not_signed_in"}', { status: 401 }));
  expect(await api.me()).toBeNull();
});

it('leaves `guests` out where it has no meaning', async () => {
  const room = () => new Response('{}', { status: 201 });
  const { api, calls } = answering(room(), room());
  await api.open('A', 'open', false);
  await api.open('B', 'invited', true);
  expect(calls.map((call) => JSON.parse(String(call.init.body)))).toEqual([
    { title: 'A', access: 'open', guests: false },
    { title: 'B', access: 'invited' },
  ]);
});

it('says when a room is to start, where it is not at once', async () => {
  const { api, calls } = answering(new Response('{}', { status: 201 }));
  await api.open('A', 'followers', true, '2026-03-04T18:00:00.000Z');
  expect(JSON.parse(String(calls[0]?.init.body))).toEqual({
    title: 'A',
    access: 'followers',
    starts_at: '2026-03-04T18:00:00.000Z',
  });
});

it('searches for rooms, live and to come, and for people', async () => {
  const rooms = () => new Response('{"rooms":[],"next":null}');
  const { api, calls } = answering(rooms(), rooms(), new Response('{"people":[{"handle":"a","name":"A"}]}'));
  expect(await api.search('a&b é')).toEqual({
    live: [],
    scheduled: [],
    people: [{ handle: 'a', name: 'A' }],
  });
  expect(calls.map((call) => call.path)).toEqual([
    '/api/rooms?state=live&q=a%26b+%C3%A9&limit=50',
    '/api/rooms?state=scheduled&q=a%26b+%C3%A9&limit=50',
    '/api/accounts?q=a%26b+%C3%A9',
  ]);
});

it('asks for the rooms of an account, page by page', async () => {
  const page = () => new Response('{"rooms":[],"next":null}');
  const { api, calls } = answering(page(), page(), page());
  await api.roomsOf('ada', 'ended');
  await api.roomsOf('ada', 'ended', 'c/1');
  await api.followed();
  expect(calls.map((call) => call.path)).toEqual([
    '/api/accounts/ada/rooms?state=ended',
    '/api/accounts/ada/rooms?state=ended&cursor=c%2F1',
    '/api/rooms?state=live&following=true&limit=50',
  ]);
});

it('names a connection as reconnect events do', async () => {
  const { api, calls } = answering(
    new Response('v=0', { status: 201, headers: { Location: '/api/rooms/r%2F1/whep/p.c-1?x=1' } }),
  );
  const connection = await api.exchange('r/1', 'whep', 'offer');
  expect(connection).toEqual({ answer: 'v=0', location: '/api/rooms/r%2F1/whep/p.c-1?x=1', id: 'p.c-1' });
  expect(calls[0]?.path).toBe('/api/rooms/r%2F1/whep');
});

it('never fails in hanging up', async () => {
  const { api } = answering(new TypeError('gone'));
  await expect(api.hangUp('/api/rooms/r/whep/c')).resolves.toBeUndefined();
});

it('sends a note only where there is one to say something about', async () => {
  const done = () => new Response(null, { status: 204 });
  const { api, calls } = answering(done(), done(), done());
  await api.raiseHand('r');
  await api.raiseHand('r', 'why?');
  await api.next('r', 'bob');
  expect(calls.map(({ path, init }) => [init.method, path, init.body ?? null])).toEqual([
    ['PUT', '/api/rooms/r/hands/me', null],
    ['PUT', '/api/rooms/r/hands/me', '{"note":"why?"}'],
    ['POST', '/api/rooms/r/floor/next', '{"hand":"bob"}'],
  ]);
});
