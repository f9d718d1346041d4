/** Keeps the screen awake: a phone that locks itself in mid-sentence takes the microphone with it. */
export class WakeLock {
  private wanted = false;
  private held: WakeLockSentinel | null = null;
  private asking = false;

  constructor() {
    // The browser takes the lock away when the page is hidden, and does not give it back.
    document.addEventListener('visibilitychange', () => void this.settle());
  }

  hold(): void {
    this.wanted = true;
    void this.settle();
  }

  release(): void {
    this.wanted = false;
    void this.settle();
  }

  private async settle(): Promise<void> {
    if (this.held?.released) this.held = null;
    if (!this.wanted) {
      const { held } = this;
      this.held = null;
      return held?.release().catch(() => undefined);
    }
    if (this.held || this.asking || document.visibilityState !== 'visible' || !navigator.wakeLock) return;
    this.asking = true;
    try {
      this.held = await navigator.wakeLock.request('screen');
    } catch {
      // A battery that is low may refuse; the sound does not depend on it.
    }
    this.asking = false;
    // One may have left the stage meanwhile.
    if (!this.wanted) await this.settle();
  }
}
