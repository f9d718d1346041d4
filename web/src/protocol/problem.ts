import type { FieldFault } from './types';

/** The server's refusal (RFC 9457): `code` is stable, `detail` is for people who know no better words. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly errors: FieldFault[] = [],
    readonly retryAfterMs: number | null = null,
    /** Of what is not for everyone yet: what stands in the way, and the number that would change it. */
    readonly because: string | null = null,
    readonly wanted: number | null = null,
  ) {
    super(`${status} ${code}: ${detail}`);
    this.name = 'Problem';
  }

  /** May the same call succeed a little later? */
  get passing(): boolean {
    return this.status >= 500 || this.status === 429;
  }

  static async of(answer: Response): Promise<Problem> {
    let body: Record<string, unknown> = {};
    try {
      const parsed: unknown = await answer.json();
      if (parsed !== null && typeof parsed === 'object') body = parsed as Record<string, unknown>;
    } catch {
      // A proxy's own words are no problem document.
    }
    const text = (field: string) => (typeof body[field] === 'string' ? body[field] : '');
    const seconds = Number(answer.headers.get('Retry-After') ?? NaN);
    return new Problem(
      answer.status,
      text('code') || String(answer.status),
      text('detail') || text('title'),
      Array.isArray(body['errors']) ? (body['errors'] as FieldFault[]) : [],
      Number.isFinite(seconds) ? seconds * 1000 : null,
      text('because') || null,
      typeof body['wanted'] === 'number' ? body['wanted'] : null,
    );
  }
}

/** No answer came at all: the server is away, or the network is. */
export class Unreachable extends Error {
  constructor(cause?: unknown) {
    super('the server cannot be reached', { cause });
    this.name = 'Unreachable';
  }
}
