/** The shapes of the public protocol, as answers carry them. Unknown fields may come along and are kept. */

export type Access = 'open' | 'followers' | 'invited';
export type Lifecycle = 'scheduled' | 'live' | 'ended';
export type Role = 'host' | 'cohost' | 'speaker' | 'listener' | 'guest';

export interface Person {
  handle: string;
  name: string;
}

export interface Account extends Person {
  id: string;
  bio?: string;
  /** Counted in an audience, not shown. Known only of oneself, and not yet in the answer to signing in. */
  listen_unseen?: boolean;
  /** Likewise. */
  role?: 'member' | 'administrator';
}

/** `url` is null once it opens nothing any more. */
export interface Invitation {
  id: string;
  url: string | null;
  state: 'open' | 'used' | 'expired';
  created_at: string;
  expires_at: string | null;
  used_by: Person | null;
}

export interface Invitations {
  registration: 'open' | 'invite' | 'closed';
  left: number;
  earned: number;
  invitations: Invitation[];
}

export interface Profile extends Account {
  followers: number;
  following: number;
  live_room: string | null;
  /** By the caller. */
  followed: boolean;
  invited_by?: Person | null;
}

export interface Speaker extends Person {
  muted: boolean;
  connected: boolean;
}

export interface Hand extends Person {
  raised_at: string;
}

export interface You {
  role: Role;
  may_speak: boolean;
  hand: boolean;
  muted: boolean;
  offered: boolean;
}

export interface Room {
  id: string;
  url: string;
  title: string;
  access: Access;
  guests: boolean;
  state: Lifecycle;
  host: Person;
  seq: number;
  speakers: Speaker[];
  hands: Hand[];
  hands_locked: boolean;
  /** How many have the floor at once; null is any number. */
  capacity: number | null;
  /** When the room ends by itself. */
  ends_at: string | null;
  offers: string[];
  cohosts: string[];
  audience: { count: number };
  starts_at: string | null;
  started_at: string | null;
  ended_at: string | null;
  you: You;
}

/** How many listen without the floor, and some of them who let themselves be seen. */
export interface Faces {
  count: number;
  people: Person[];
}

/** How a media connection fares, as the server sees it. A null is what is not known yet, or not of this kind. */
export interface Details {
  kind: 'whep' | 'whip';
  state: 'connecting' | 'connected';
  since_ms: number | null;
  family: 'ipv4' | 'ipv6' | null;
  packets: number;
  bytes: number;
  /** 0 to 1. */
  loss: number | null;
  jitter_ms: number | null;
  rtt_ms: number | null;
  red: boolean;
  packet_ms: number | null;
  /** 0 to 1. */
  concealed: number | null;
  delay_ms: number | null;
}

export interface RoomPage {
  rooms: Room[];
  next: string | null;
}

/** What some words find. */
export interface Found {
  live: Room[];
  scheduled: Room[];
  people: Person[];
}

/** A lasting event of a room, as it stands in `data`; `type` is the event's name. */
export interface RoomEvent {
  type: string;
  seq: number;
  at: string;
  by?: string;
  handle?: string;
  name?: string;
  raised_at?: string;
  /** Of a start: how many speak, whether there are hands, when it ends by itself; the latter of a warning, too. */
  capacity?: number;
  hands?: boolean;
  ends_at?: string | null;
}

export type Levels = Record<string, number>;

export interface Reconnect {
  connections: string[] | 'all';
  after_ms: number;
}

export interface FieldFault {
  field: string;
  message: string;
}
