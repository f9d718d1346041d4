/** In which rooms this browser has asked how it was, so that nobody is asked twice. */
const STORED = 'parola.answered';
const MOST = 100;

export function wasAsked(id: string): boolean {
  return read().includes(id);
}

export function noteAsked(id: string): void {
  try {
    localStorage.setItem(STORED, JSON.stringify([...read().filter((one) => one !== id), id].slice(-MOST)));
  } catch {
    // A browser that keeps nothing asks again; the server counts a member's first answer.
  }
}

function read(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(STORED) ?? '[]');
    return Array.isArray(kept) ? kept.filter((one): one is string => typeof one === 'string') : [];
  } catch {
    return [];
  }
}
