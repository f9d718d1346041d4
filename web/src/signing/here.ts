/** May this browser, at this address, hold passkeys at all? Browsers hide them where a page is not safe from others. */
export function passkeysHere(): boolean {
  return window.isSecureContext === true && typeof window.PublicKeyCredential === 'function';
}
