/** Ceremonies with passkeys. Loaded when somebody begins one: who only listens needs none of it. */
import {
  browserSupportsWebAuthnAutofill,
  startAuthentication,
  startRegistration,
  WebAuthnAbortService,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/browser';

import type { Account } from '../protocol/types';
import * as calls from '../settings/calls';

type Making = PublicKeyCredentialCreationOptionsJSON;
type Asking = PublicKeyCredentialRequestOptionsJSON;

export async function signUp(handle: string, name: string, invite?: string): Promise<Account> {
  const body = { handle, name, ...(invite ? { invite } : {}) };
  const { ticket, options } = await calls.beginCeremony<Making>('sign_up', body);
  return calls.signUpByPasskey(ticket, await startRegistration({ optionsJSON: options }), invite);
}

export async function signIn(): Promise<Account> {
  const { ticket, options } = await calls.beginCeremony<Asking>('sign_in');
  return calls.signInByPasskey(ticket, await startAuthentication({ optionsJSON: options }));
}

export async function add(name: string): Promise<calls.Passkey> {
  const { ticket, options } = await calls.beginCeremony<Making>('add');
  return calls.addPasskey(ticket, await startRegistration({ optionsJSON: options }), name);
}

export async function prove(): Promise<void> {
  const { ticket, options } = await calls.beginCeremony<Asking>('prove');
  await calls.provePasskey(ticket, await startAuthentication({ optionsJSON: options }));
}

/**
 * The browser offers passkeys where one would type the handle, for as long as one likes; what signs in by the one that
 * was chosen. Null where the browser cannot, where another ceremony has begun or `stopOffering` was called.
 */
export async function offer(): Promise<(() => Promise<Account>) | null> {
  if (!(await browserSupportsWebAuthnAutofill())) return null;
  const { ticket, options } = await calls.beginCeremony<Asking>('sign_in');
  try {
    const credential = await startAuthentication({ optionsJSON: options, useBrowserAutofill: true });
    return () => calls.signInByPasskey(ticket, credential);
  } catch {
    return null;
  }
}

export function stopOffering(): void {
  WebAuthnAbortService.cancelCeremony();
}
