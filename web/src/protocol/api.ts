/**
 * Every call of the protocol, typed. Each resolves with what was answered, or throws `Problem` (refused) or
 * `Unreachable` (no answer). The session is the server's cookie; no token is kept here.
 */
import { noteTime } from './clock';
import { Problem, Unreachable } from './problem';
import type {
  About,
  Access,
  Account,
  Details,
  Faces,
  Found,
  Invitation,
  Invitations,
  Lifecycle,
  Listed,
  Notices,
  OwnReport,
  PeoplePage,
  Person,
  Place,
  Profile,
  ReportReason,
  Room,
  RoomPage,
  Turns,
} from './types';

export type Change = Partial<Pick<Account, 'name' | 'bio' | 'listen_unseen' | 'private' | 'language'>>;

export interface Connection {
  answer: string;
  /** Where to DELETE it, or to ask how it fares. */
  location: string;
  /** What a `reconnect` event calls it. */
  id: string;
}

export type Exchange = (roomId: string, kind: 'whep' | 'whip', offer: string) => Promise<Connection>;

type Wanted = Record<string, string | null | undefined>;

const PATIENCE_MS = 10_000;
const JSON_TYPE = { 'Content-Type': 'application/json' };

export class Api {
  constructor(private readonly fetcher: typeof fetch = (input, init) => fetch(input, init)) {}

  // People

  async signUp(handle: string, name: string, password: string, invite?: string): Promise<Account> {
    const body = { handle, name, password, ...(invite ? { invite } : {}) };
    return (await this.json<{ account: Account }>('POST', '/api/accounts', body)).account;
  }

  async signIn(handle: string, password: string): Promise<Account> {
    const body = { handle, password };
    const answer = await this.json<{ account: Account; suspended?: boolean }>('POST', '/api/sessions', body);
    // The session is for what was decided about them, and for nothing else.
    if (answer.suspended) throw new Problem(403, 'suspended', '');
    return answer.account;
  }

  signOut = () => this.call('DELETE', '/api/sessions/current');

  /** Who one is, or null for a guest. */
  async me(): Promise<Account | null> {
    try {
      return await this.json<Account>('GET', '/api/me');
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return null;
      throw error;
    }
  }

  /** Changes what is given of oneself, and leaves the rest. */
  update = (change: Change) => this.json<Account>('PATCH', '/api/me', change);

  /** JPEG, PNG or WebP; what is shown is drawn anew from it. */
  async setPicture(picture: Blob): Promise<Account> {
    const init = { method: 'PUT', headers: { 'Content-Type': picture.type }, body: picture };
    return (await (await this.send('/api/me/picture', init)).json()) as Account;
  }

  removePicture = () => this.call('DELETE', '/api/me/picture');

  profile = (handle: string) => this.json<Profile>('GET', person(handle));
  /** A private account is asked first. */
  async follow(handle: string): Promise<'follows' | 'requested'> {
    const answer = await this.send(person(handle, 'follow'), { method: 'PUT' });
    return answer.status === 202 ? 'requested' : 'follows';
  }

  /** Takes a request back, too. */
  unfollow = (handle: string) => this.call('DELETE', person(handle, 'follow'));
  followers = (handle: string, cursor?: string | null) => this.people(person(handle, 'followers'), cursor);
  following = (handle: string, cursor?: string | null) => this.people(person(handle, 'following'), cursor);

  /** Who wants to follow oneself. */
  requests = (cursor?: string | null) => this.people('/api/me/requests', cursor);
  approve = (handle: string) => this.call('PUT', `/api/me/requests/${encodeURIComponent(handle)}`);
  refuse = (handle: string) => this.call('DELETE', `/api/me/requests/${encodeURIComponent(handle)}`);

  block = (handle: string) => this.call('PUT', person(handle, 'block'));
  /** One's own, as an administrator. */
  endVisit = (id: string) => this.call('DELETE', `/api/admin/rooms/${encodeURIComponent(id)}/visit`);
  unblock = (handle: string) => this.call('DELETE', person(handle, 'block'));
  blocks = (cursor?: string | null) => this.people('/api/me/blocks', cursor);
  /** No notices of theirs, and no face; a room's sound is one, and their voice stays in it. */
  hush = (handle: string) => this.call('PUT', person(handle, 'hush'));
  unhush = (handle: string) => this.call('DELETE', person(handle, 'hush'));
  /** Whether rooms of somebody whom one follows are told of. */
  ring = (handle: string, rings: boolean) => this.call(rings ? 'PUT' : 'DELETE', person(handle, 'bell'));
  hushes = (cursor?: string | null) => this.people('/api/me/hushes', cursor);

  /** Out of all rooms that one hosts, now and later; answered when they are silent there. */
  keepOut = (handle: string) => this.call('PUT', `/api/me/removed/${encodeURIComponent(handle)}`);
  letBack = (handle: string) => this.call('DELETE', `/api/me/removed/${encodeURIComponent(handle)}`);
  keptOut = (cursor?: string | null) => this.people('/api/me/removed', cursor);

  // Reports, and what was decided about oneself

  report = (about: About, reason: ReportReason, text: string) =>
    this.json<OwnReport>('POST', '/api/reports', { about, reason, text });
  reports = (cursor?: string | null) =>
    this.json<{ reports: OwnReport[]; next: string | null }>('GET', `/api/me/reports?${query({ cursor })}`);
  notices = () => this.json<Notices>('GET', '/api/me/notices');
  seeNotice = (id: string) => this.call('PUT', `/api/me/notices/${encodeURIComponent(id)}/seen`);
  appeal = (id: string, text: string) =>
    this.call('POST', `/api/me/notices/${encodeURIComponent(id)}/appeal`, { text });

  // Invitations

  invitations = () => this.json<Invitations>('GET', '/api/me/invitations');
  makeInvitation = () => this.json<Invitation>('POST', '/api/me/invitations');
  revokeInvitation = (id: string) => this.call('DELETE', `/api/me/invitations/${encodeURIComponent(id)}`);
  /** Who invites with a code that holds; null where the server itself does. */
  async inviter(code: string): Promise<Person | null> {
    return (await this.json<{ by: Person | null }>('GET', `/api/invitations/${encodeURIComponent(code)}`)).by;
  }

  /** One's place, and the token by which it is asked for again; `handle` may be empty. */
  wait = (email: string, handle: string) =>
    this.json<Place & { token: string }>('POST', '/api/waitlist', { email, ...(handle ? { handle } : {}) });
  leaveLine = (token: string) => this.json<undefined>('DELETE', `/api/waitlist/${encodeURIComponent(token)}`);
  place = (token: string) => this.json<Place>('GET', `/api/waitlist/${encodeURIComponent(token)}`);

  // Rooms

  /** Live at once, or scheduled where `startsAt` is given. */
  open = (title: string, access: Access, guests: boolean, startsAt?: string, listenersAtMost?: number) =>
    this.json<Room>('POST', '/api/rooms', {
      title,
      access,
      ...(access === 'open' || access === 'link' ? { guests } : {}),
      ...(startsAt ? { starts_at: startsAt } : {}),
      ...(listenersAtMost ? { listeners_at_most: listenersAtMost } : {}),
    });

  live = (cursor?: string | null) => this.rooms({ state: 'live', cursor });
  /** Live rooms of hosts whom the caller, a member, follows. */
  followed = () => this.rooms({ state: 'live', following: 'true' });
  /** Soonest first. */
  scheduled = (cursor?: string | null) => this.rooms({ state: 'scheduled', cursor });

  roomsOf = (handle: string, state: Lifecycle, cursor?: string | null) =>
    this.json<RoomPage>('GET', `${person(handle, 'rooms')}?${query({ state, cursor })}`);

  async search(q: string): Promise<Found> {
    const [live, scheduled, { people }] = await Promise.all([
      this.rooms({ state: 'live', q }),
      this.rooms({ state: 'scheduled', q }),
      this.json<{ people: Listed[] }>('GET', `/api/accounts?${query({ q })}`),
    ]);
    return { live: live.rooms, scheduled: scheduled.rooms, people };
  }

  room = (id: string) => this.json<Room>('GET', room(id));
  audience = (id: string, most: number) => this.json<Faces>('GET', `${room(id, 'audience')}?limit=${most}`);
  start = (id: string) => this.json<Room>('POST', room(id, 'start'));
  end = (id: string) => this.json<Room>('POST', room(id, 'end'));
  /** So many listeners at most; null for as many as come. Whoever is there stays. */
  async limit(id: string, listeners: number | null): Promise<void> {
    const init = { method: 'PUT', headers: JSON_TYPE, body: JSON.stringify({ listeners }) };
    await this.send(room(id, 'listeners_at_most'), listeners === null ? { method: 'DELETE' } : init);
  }

  /** Whom the host has invited; for the host alone. */
  invited = (id: string) => this.json<{ people: Person[] }>('GET', room(id, 'invited'));
  invite = (id: string, handle: string) => this.call('PUT', room(id, 'invited', handle));
  uninvite = (id: string, handle: string) => this.call('DELETE', room(id, 'invited', handle));

  /** How long a connection took to the first sound; whether it arrives matters to nobody here. */
  heard = (id: string, connection: string, ms: number) =>
    this.json<unknown>('POST', room(id, 'heard'), { connection, ms });
  /** Was it good to be there? */
  survey = (id: string, good: boolean) => this.json<unknown>('POST', room(id, 'survey'), { good });

  // The floor

  /** With what one wants to ask, or to change that while the hand is up. */
  raiseHand = (id: string, note?: string) =>
    this.call('PUT', room(id, 'hands', 'me'), note === undefined ? undefined : { note });
  lowerHand = (id: string) => this.call('DELETE', room(id, 'hands', 'me'));
  lockHands = (id: string) => this.call('PUT', room(id, 'locks', 'hands'));
  unlockHands = (id: string) => this.call('DELETE', room(id, 'locks', 'hands'));
  slowHands = (id: string, pause_s: number) => this.call('PUT', room(id, 'pauses', 'hands'), { pause_s });
  unslowHands = (id: string) => this.call('DELETE', room(id, 'pauses', 'hands'));
  setTurns = (id: string, turns: Turns) => this.call('PUT', room(id, 'turns'), turns);
  liftTurns = (id: string) => this.call('DELETE', room(id, 'turns'));
  sizeStage = (id: string, capacity: number) => this.call('PUT', room(id, 'stage'), { capacity });
  nameSuccessor = (id: string, handle: string) => this.call('PUT', room(id, 'successor', handle));
  dropSuccessor = (id: string, handle: string) => this.call('DELETE', room(id, 'successor', handle));
  /** Calls up the first hand, which is thought to be `hand`'s. */
  next = (id: string, hand: string) => this.call('POST', room(id, 'floor', 'next'), { hand });
  dismissHand = (id: string, handle: string) => this.call('DELETE', room(id, 'hands', handle));
  accept = (id: string) => this.call('POST', room(id, 'floor', 'accept'));
  decline = (id: string) => this.call('POST', room(id, 'floor', 'decline'));
  revoke = (id: string, handle: string) => this.call('DELETE', room(id, 'floor', handle));
  mute = (id: string, handle: string) => this.call('PUT', room(id, 'mutes', handle));
  unmute = (id: string, handle: string) => this.call('DELETE', room(id, 'mutes', handle));
  muteAll = (id: string) => this.call('PUT', room(id, 'mutes'));
  remove = (id: string, handle: string) => this.call('PUT', room(id, 'removed', handle));
  restore = (id: string, handle: string) => this.call('DELETE', room(id, 'removed', handle));
  addCohost = (id: string, handle: string) => this.call('PUT', room(id, 'cohosts', handle));
  removeCohost = (id: string, handle: string) => this.call('DELETE', room(id, 'cohosts', handle));

  async grant(id: string, handle: string): Promise<'granted' | 'offered'> {
    return (await this.json<{ state: 'granted' | 'offered' }>('PUT', room(id, 'floor', handle))).state;
  }

  // Sound

  exchange: Exchange = async (id, kind, offer) => {
    const answer = await this.send(room(id, kind), {
      method: 'POST',
      headers: { 'Content-Type': 'application/sdp', Accept: 'application/sdp, application/problem+json' },
      body: offer,
    });
    const location = answer.headers.get('Location') ?? '';
    const last = location.split(/[?#]/)[0]?.split('/').pop() ?? '';
    return { answer: await answer.text(), location, id: decodeURIComponent(last) };
  };

  /** How a media connection fares. */
  details = (location: string) => this.json<Details>('GET', location);

  /** Ends a media connection; it is as good as gone whatever is answered, and the page may be going too. */
  async hangUp(location: string): Promise<void> {
    if (!location) return;
    try {
      await this.fetcher(location, { method: 'DELETE', keepalive: true, credentials: 'same-origin' });
    } catch {
      // The server ends it by itself once no consent comes any more (RFC 7675).
    }
  }

  private rooms(wanted: Wanted): Promise<RoomPage> {
    return this.json<RoomPage>('GET', `/api/rooms?${query({ ...wanted, limit: '50' })}`);
  }

  private people(path: string, cursor?: string | null): Promise<PeoplePage> {
    return this.json<PeoplePage>('GET', `${path}?${query({ cursor, limit: '50' })}`);
  }

  private async call(method: string, path: string, body?: unknown): Promise<void> {
    await this.send(path, written(method, body));
  }

  /** Whatever has no name of its own here; nothing for what is answered without a body. */
  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.send(path, written(method, body));
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  }

  async blob(path: string): Promise<Blob> {
    return (await this.send(path, { method: 'GET' })).blob();
  }

  private async send(path: string, init: RequestInit): Promise<Response> {
    let answer: Response;
    const asked = Date.now();
    try {
      answer = await this.fetcher(path, {
        ...init,
        credentials: 'same-origin',
        cache: 'no-store',
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
    } catch (error) {
      throw new Unreachable(error);
    }
    noteTime(answer.headers.get('Date'), asked, Date.now());
    if (!answer.ok) throw await Problem.of(answer);
    return answer;
  }
}

function written(method: string, body: unknown): RequestInit {
  if (body === undefined) return { method };
  return { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

function room(id: string, ...steps: string[]): string {
  return ['/api/rooms', ...[id, ...steps].map(encodeURIComponent)].join('/');
}

function person(handle: string, ...steps: string[]): string {
  return ['/api/accounts', ...[handle, ...steps].map(encodeURIComponent)].join('/');
}

/** What is given of `wanted`, as an address says it. */
function query(wanted: Wanted): string {
  const given = Object.entries(wanted).filter((one): one is [string, string] => Boolean(one[1]));
  return new URLSearchParams(given).toString();
}
