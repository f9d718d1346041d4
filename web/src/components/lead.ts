/** What those who lead a room do to one person; each says afterwards how it went. */
import type { Person, Turns } from '../protocol/types';

export interface Lead {
  grant(person: Person): void;
  dismiss(person: Person): void;
  withdraw(person: Person): void;
  revoke(person: Person): void;
  mute(person: Person): void;
  remove(person: Person): void;
  restore(person: Person): void;
  /** Out of this and all other rooms of the host. */
  keepOut(person: Person): void;
  letBack(person: Person): void;
  addCohost(person: Person): void;
  removeCohost(person: Person): void;
  /** Whether it was done. */
  invite(person: Person): Promise<boolean>;
  muteAll(): void;
  lockHands(locked: boolean): void;
  /** The first hand: who was called up before gives the floor back. */
  next(person: Person): void;
  /** null: as long as one likes. */
  setTurns(turns: Turns | null): void;
  sizeStage(capacity: number): void;
  /** null: hands go up again at once. */
  slowHands(pauseS: number | null): void;
  /** `known` is who was named until now. */
  nameSuccessor(handle: string | null, known: string | null): void;
  /** So many listeners at most; null for as many as come. */
  limit(listeners: number | null): void;
  end(): void;
}
