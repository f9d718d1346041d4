/**
 * Some of those who listen, asked for anew as the count changes: seldom in a large room, since all its pages ask.
 */
import type { Api } from '../protocol/api';
import type { Faces } from '../protocol/types';

const MOST = 48;
const LOOK_EVERY_MS = 3000;
const PAUSE_MS = 6000;
const PAUSE_FOR_EACH_MS = 40;
const PAUSE_MOST_MS = 600_000;
/** A crowd that comes at once does not ask at once. */
const CROWD = 300;
const CROWD_SPREAD_MS = 60_000;

/** How long what was answered stands, with so many listeners. */
export function pause(count: number): number {
  return Math.min(PAUSE_MOST_MS, PAUSE_MS + count * PAUSE_FOR_EACH_MS);
}

export class AudienceFaces {
  people = $state.raw<Faces['people']>([]);
  private asked: { at: number; count: number } | null = null;
  private firstAt: number | null = null;

  constructor(
    private readonly api: Pick<Api, 'audience'>,
    private readonly roomId: string,
    private readonly count: () => number,
  ) {}

  /** Until the returned function is called. */
  follow(): () => void {
    void this.look();
    const timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }

  private async look(): Promise<void> {
    const [now, count] = [Date.now(), this.count()];
    if (document.visibilityState !== 'visible') return;
    this.firstAt ??= now + (count > CROWD ? Math.random() * CROWD_SPREAD_MS : 0);
    if (now < this.firstAt) return;
    if (this.asked && (this.asked.count === count || now - this.asked.at < pause(count))) return;
    this.asked = { at: now, count };
    try {
      this.people = (await this.api.audience(this.roomId, MOST)).people;
    } catch {
      // Faces are no news: those known stay, and the next change asks again.
    }
  }
}
