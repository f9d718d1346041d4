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

if (typeof window !== 'undefined') window.__parola = exposed;
