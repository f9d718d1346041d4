/** The connections in use, where measurements find them: `window.__parola`. */
export interface Exposed {
  listen: RTCPeerConnection | null;
  speak: RTCPeerConnection | null;
}

declare global {
  interface Window {
    __parola: Exposed;
  }
}

export const exposed: Exposed = { listen: null, speak: null };

/** A room that was only read has nothing to take away from the one that sounds. */
export function expose(
  which: keyof Exposed,
  before: RTCPeerConnection | null,
  peer: RTCPeerConnection | null,
): void {
  if (peer || exposed[which] === before) exposed[which] = peer;
}

if (typeof window !== 'undefined') window.__parola = exposed;
