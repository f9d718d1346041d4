/** What is sensitive is done again after one has shown who one is, where the server asks for that. */
import { Problem } from '../protocol/problem';

class Proof {
  /** Whoever waits for it: told whether it was given. */
  private waiting: ((given: boolean) => void) | null = null;
  open = $state(false);

  /** Does `work`; where the server asks who it is, asks the person and does it once more. Undefined: they would not say. */
  async of<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'sign_in_again') throw error;
    }
    this.close(false);
    this.open = true;
    const given = await new Promise<boolean>((resolve) => (this.waiting = resolve));
    return given ? work() : undefined;
  }

  close(given: boolean): void {
    this.open = false;
    this.waiting?.(given);
    this.waiting = null;
  }
}

export const proof = new Proof();
