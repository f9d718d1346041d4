/** The shapes of the public protocol, as answers carry them. Unknown fields may come along and are kept. */

export type Access = 'open' | 'link' | 'followers' | 'mutuals' | 'invited';
export type Lifecycle = 'scheduled' | 'live' | 'ended';
export type Role = 'host' | 'cohost' | 'speaker' | 'listener' | 'guest';

export interface Person {
  handle: string;
  name: string;
  /** An address on this server; null where there is none. */
  picture?: string | null;
}

export interface Account extends Person {
  id: string;
  bio?: string;
  /** Counted in an audience, not shown. Known only of oneself, and not yet in the answer to signing in. */
  listen_unseen?: boolean;
  /** Says who may follow. Known of a profile and, but for the answer to signing in, of oneself. */
  private?: boolean;
  /** Likewise. */
  role?: 'member' | 'administrator';
  /** Likewise; null where they have not said. */
  language?: 'en' | 'it' | null;
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

/** On the waitlist: `position` 1 is whose turn is next, null where the turn has come. */
export interface Place {
  state: 'waiting' | 'invited';
  position: number | null;
}

export interface Invitations {
  registration: 'open' | 'invite' | 'closed';
  left: number;
  earned: number;
  /** `more` for each who comes by one of them and is here on so many days. */
  earns: { more: number; days: number };
  invitations: Invitation[];
}

export interface Profile extends Account {
  followers: number;
  following: number;
  live_room: string | null;
  /** By the caller. */
  followed: boolean;
  /** The caller has asked to follow, and nobody has answered. */
  requested: boolean;
  follows_you: boolean;
  /** By the caller. */
  blocked: boolean;
  /** By the caller. */
  hushed: boolean;
  /** The caller follows them, and is told when they start a room. */
  bell?: boolean;
  invited_by?: Person | null;
}

/** Somebody in a list; `live_room` where the reader may enter one of theirs that is live. */
export interface Listed extends Person {
  live_room?: string | null;
}

export interface PeoplePage {
  people: Listed[];
  next: string | null;
}

/** That a room of somebody one follows has started. */
export interface RoomStarted {
  room: { id: string; url: string; title: string; access: Access; started_at: string | null };
  host: Person;
}

/** How long turns are, in seconds: until the speaker is warned, and until the floor is taken. */
export interface Turns {
  soft_s: number;
  hard_s: number;
}

/** One speaker's. */
export interface Turn {
  began_at: string;
  soft_at: string;
  hard_at: string;
}

export interface Speaker extends Person {
  muted: boolean;
  connected: boolean;
  /** null: they speak as long as they like. */
  turn: Turn | null;
}

export interface Hand extends Person {
  raised_at: string;
  /** What they want to ask; may be empty. */
  note: string;
}

export interface You {
  role: Role;
  may_speak: boolean;
  hand: boolean;
  muted: boolean;
  offered: boolean;
  /** The host, or who is in the host's place. */
  may_grant: boolean;
  /** Somebody whom the reader has blocked is on the stage, as of the snapshot. */
  warning: 'blocked_on_stage' | null;
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
  /** How long a hand stays down after it was lowered or after its turn; null: not at all. */
  hands_pause_s: number | null;
  turns: Turns | null;
  /** Speakers at most, the host among them; null: no bound. */
  capacity: number | null;
  /** So many listeners at most; null for as many as come. */
  listeners_at_most: number | null;
  /** When the room ends by itself. */
  ends_at: string | null;
  offers: string[];
  offers_until: Record<string, string>;
  cohosts: string[];
  /** Whom the host named, should the host go. */
  successor: string | null;
  /** Who is in the host's place now. */
  acting_host: string | null;
  /** Administrators who may listen, whoever else may. */
  visitors: Person[];
  audience: { count: number };
  /** So much of a live room is kept sealed, for reports; null: nothing is. */
  evidence: { minutes: number } | null;
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
  people: Listed[];
}

/** A lasting event of a room, as it stands in `data`; `type` is the event's name. */
export interface RoomEvent {
  type: string;
  seq: number;
  at: string;
  by?: string;
  handle?: string;
  name?: string;
  picture?: string | null;
  raised_at?: string;
  listeners_at_most?: number | null;
  note?: string;
  turn?: Turn | null;
  soft_s?: number;
  hard_s?: number;
  /** Of a start: how many speak, whether there are hands, when it ends by itself; the latter of a warning, too. */
  capacity?: number;
  hands?: boolean;
  ends_at?: string | null;
  pause_s?: number;
  expires_at?: string;
  reason?: string | null;
}

/** Passing: a speaker's turn is over soon. */
export interface TurnWarning {
  handle: string;
  left_s: number;
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

export const REPORT_REASONS = [
  'spam',
  'harassment',
  'hate',
  'violence',
  'sexual',
  'minors',
  'impersonation',
  'other',
] as const;
export type ReportReason = (typeof REPORT_REASONS)[number];

/** What a report is about: a person, a room, or a moment in it, in milliseconds from its start. */
export interface About {
  handle?: string;
  room?: string;
  at_ms?: number;
}

export interface OwnReport {
  id: string;
  about: Person | null;
  room: { id: string; title: string } | null;
  at_ms: number | null;
  reason: ReportReason;
  text: string;
  state: 'open' | 'resolved' | 'dismissed';
  created_at: string;
  closed_at: string | null;
}

export type Measure = 'warn' | 'remove' | 'suspend' | 'ban' | 'restore';

/** What was decided about oneself; `seen` is false again when there is news. */
export interface Notice {
  id: string;
  measure: Measure;
  reason: string;
  at: string;
  until: string | null;
  over: boolean;
  seen: boolean;
  may_appeal: boolean;
  appeal: {
    text: string;
    at: string;
    decision: 'upheld' | 'lifted' | null;
    decided_at: string | null;
    reason: string | null;
  } | null;
}

export interface Notices {
  me: Person;
  suspended: boolean;
  notices: Notice[];
}
