/**
 * A room's event stream that does not give up.
 *
 * It reads the stream with fetch instead of the browser's EventSource, for three things EventSource cannot do: resume
 * with `Last-Event-ID` after a wait of our own, tell a refusal (404, removed, ended) from a lost server, and notice by
 * the missing keep-alive comments that a connection is dead although nothing has closed it.
 */
import { backoff } from './backoff';
import { Problem } from './problem';
import { SseParser, type Message } from './sse';

export type StreamState =
  | { kind: 'connecting' }
  | { kind: 'open' }
  /** Lost; the next try comes at `at` (milliseconds, as Date.now counts). */
  | { kind: 'waiting'; at: number }
  /** Over for good: `problem` says why, null when the room has ended or close() was called. */
  | { kind: 'closed'; problem: Problem | null };

export interface StreamOptions {
  onMessage(message: Message): void;
  onState(state: StreamState): void;
  /** Whenever anything at all comes, a keep-alive too. */
  onAlive?(): void;
  /** The id of the last lasting event that is known already. */
  after?: string | null;
  fetcher?: typeof fetch;
  random?: () => number;
  now?: () => number;
}

/** What a room's page follows, whoever reads it from the server. */
export interface RoomEvents {
  open(): void;
  close(): void;
  /** Tries at once instead of waiting: the network is back, or the page awake. */
  retryNow(): void;
  /** As retryNow, unless there was life within `withinMs`. */
  check(withinMs: number): void;
  /** Begins anew with a snapshot; `asOther`: because one is somebody else now. */
  restart(asOther?: boolean): void;
}

/** The server sends a comment every 15 s; after two and a half of them missing, nothing is there any more. */
export const SILENCE_MS = 38_000;

export class EventStream implements RoomEvents {
  private lastId: string | null = null;
  private tries = 0;
  private retryMs: number | null = null;
  private abort: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;
  private heardAt = 0;
  private closed = false;
  private readonly fetcher: typeof fetch;
  private readonly random: () => number;
  private readonly now: () => number;

  constructor(
    private readonly url: string,
    private readonly options: StreamOptions,
  ) {
    this.lastId = options.after ?? null;
    this.fetcher = options.fetcher ?? ((input, init) => fetch(input, init));
    this.random = options.random ?? Math.random;
    this.now = options.now ?? Date.now;
  }

  open(): void {
    void this.connect();
  }

  close(): void {
    this.finish(null);
  }

  /** Closes without a word: somebody else reads on. */
  abandon(): void {
    this.closed = true;
    this.stop();
  }

  /** Tries at once instead of waiting: the network is back, or the page awake. */
  retryNow(): void {
    if (this.closed) return;
    this.tries = 0;
    void this.connect();
  }

  /** As retryNow, unless the stream has shown life within `withinMs`. */
  check(withinMs: number): void {
    if (!this.closed && this.now() - this.heardAt > withinMs) this.retryNow();
  }

  /** Begins anew with a snapshot: what was folded so far cannot be trusted. */
  restart(): void {
    this.lastId = null;
    this.retryNow();
  }

  private async connect(): Promise<void> {
    this.stop();
    const abort = new AbortController();
    this.abort = abort;
    this.options.onState({ kind: 'connecting' });
    try {
      const answer = await this.fetcher(this.url, {
        headers: {
          Accept: 'text/event-stream',
          ...(this.lastId === null ? {} : { 'Last-Event-ID': this.lastId }),
        },
        credentials: 'same-origin',
        cache: 'no-store',
        signal: abort.signal,
      });
      if (abort.signal.aborted) return;
      if (answer.status === 204) return this.finish(null);
      if (!answer.ok) {
        const problem = await Problem.of(answer);
        if (abort.signal.aborted) return;
        return problem.passing ? this.wait(problem.retryAfterMs) : this.finish(problem);
      }
      await this.read(answer, abort.signal);
    } catch {
      // Refused, reset or aborted: all the same, the wait below sorts them.
    }
    if (!abort.signal.aborted) this.wait(null);
  }

  private async read(answer: Response, signal: AbortSignal): Promise<void> {
    if (!answer.body) return;
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    const parser = new SseParser();
    this.alive();
    this.options.onState({ kind: 'open' });
    for (;;) {
      const { done, value } = await reader.read();
      if (signal.aborted || done) return;
      this.alive();
      for (const message of parser.push(decoder.decode(value, { stream: true }))) {
        this.tries = 0;
        if (message.id !== null) this.lastId = message.id;
        this.options.onMessage(message);
        if (signal.aborted) return;
      }
      this.retryMs = parser.retryMs ?? this.retryMs;
    }
  }

  private alive(): void {
    this.heardAt = this.now();
    this.options.onAlive?.();
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.retryNow(), SILENCE_MS);
  }

  private wait(leastMs: number | null): void {
    if (this.closed) return;
    this.stop();
    // The first return is spread by the server's own `retry:`; later ones back off.
    const delay =
      this.tries === 0 && this.retryMs !== null
        ? Math.min(this.retryMs, 5000)
        : backoff(this.tries, this.random());
    this.tries += 1;
    const ms = Math.max(delay, leastMs ?? 0);
    this.options.onState({ kind: 'waiting', at: this.now() + ms });
    this.timer = setTimeout(() => void this.connect(), ms);
  }

  private finish(problem: Problem | null): void {
    if (this.closed) return;
    this.closed = true;
    this.stop();
    this.options.onState({ kind: 'closed', problem });
  }

  private stop(): void {
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    this.abort?.abort();
    this.abort = null;
  }
}
