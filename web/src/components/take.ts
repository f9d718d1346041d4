/** What one does in a room oneself. */
export interface Take {
  start(): void;
  listen(): void;
  hear(): void;
  leave(): void;
  signIn(): void;
  raiseHand(): void;
  lowerHand(): void;
  accept(): void;
  decline(): void;
  takeFloor(): void;
  mute(): void;
  unmute(): void;
  settings(): void;
}
