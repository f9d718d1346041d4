/** Rows that come page by page: those that are there, and whether more would come. */
import { explain } from '../language/problems';
import type { Page } from './calls';

export class Rows<T> {
  rows = $state.raw<T[]>([]);
  next = $state<string | null>(null);
  /** False until the first answer. */
  known = $state(false);
  fault = $state<string | null>(null);
  /** Only what was asked last counts. */
  private turn = 0;

  constructor(private readonly ask: (cursor: string | null) => Promise<Page<T>>) {}

  /** From the beginning. */
  async anew(): Promise<void> {
    await this.take(null);
  }

  async more(): Promise<void> {
    if (this.next !== null) await this.take(this.next);
  }

  private async take(cursor: string | null): Promise<void> {
    const mine = ++this.turn;
    try {
      const page = await this.ask(cursor);
      if (mine !== this.turn) return;
      this.rows = cursor === null ? page.rows : [...this.rows, ...page.rows];
      this.next = page.next;
      this.fault = null;
      this.known = true;
    } catch (error) {
      if (mine === this.turn) this.fault = explain(error);
    }
  }
}
