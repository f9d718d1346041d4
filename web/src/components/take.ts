/** What one does in a room oneself. */
export interface Take {
  start(): void;
  listen(): void;
  hear(): void;
  leave(): void;
  signIn(): void;
  raiseHand(): void;
  lowerHand(): void;
  /** Opens where one says what one wants to ask. */
  note(): void;
  accept(): void;
  decline(): void;
  takeFloor(): void;
  /** Where one talks by holding something. */
  talk(held: boolean): void;
  mute(): void;
  unmute(): void;
  settings(): void;
  /** Opens what leads the room. */
  lead(): void;
}
