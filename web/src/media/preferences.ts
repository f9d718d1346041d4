/** What a person chose about speaking, kept by this browser. */
import { keep, recallKept } from '../kept';

export interface Preferences {
  /** '' for whatever the system chooses. */
  microphone: string;
  pushToTalk: boolean;
}

const STORED = 'parola.speaking';
const PLAIN: Preferences = { microphone: '', pushToTalk: false };

export function recall(): Preferences {
  try {
    const kept: unknown = JSON.parse(recallKept(STORED) ?? '{}');
    const { microphone, pushToTalk } = (kept ?? {}) as Record<string, unknown>;
    return {
      microphone: typeof microphone === 'string' ? microphone : PLAIN.microphone,
      pushToTalk: pushToTalk === true,
    };
  } catch {
    return PLAIN;
  }
}

export function remember(chosen: Partial<Preferences>): void {
  keep(STORED, JSON.stringify({ ...recall(), ...chosen }));
}
