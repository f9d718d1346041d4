// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { AT, person, settled } from '../../tests/given';
import { account, api } from '../account.svelte';
import AccountForm from '../components/AccountForm.svelte';
import { dismiss, notices } from '../notices.svelte';
import { Problem } from '../protocol/problem';
import ConfirmPage from '../signing/ConfirmPage.svelte';
import LinkPage from '../signing/LinkPage.svelte';
import type { Device, SignInWays } from './calls';
import DevicesSection from './DevicesSection.svelte';
import { explainHere } from './say';
import SignInSection from './SignInSection.svelte';

const ways: SignInWays = {
  password: true,
  passkeys: [],
  email: null,
  pending_email: null,
  recovery_codes: 0,
  recent_until: null,
};

type Answers = Record<string, (body: unknown) => unknown>;
let asked: [string, unknown][];

/** Answers by method and path; what is not among them is a fault of the test. */
function answering(answers: Answers) {
  vi.spyOn(api, 'json').mockImplementation(async (method: string, path: string, body?: unknown) => {
    const call = `${method} ${path}`;
    asked.push([call, body]);
    const answer = answers[call];
    if (!answer) throw new Error(`nobody answers ${call}`);
    return answer(body) as never;
  });
}

function refuse(status: number, code: string): () => never {
  return () => {
    throw new Problem(status, code, '', []);
  };
}

const said = () => notices.shown.map((one) => one.text);

beforeEach(() => {
  asked = [];
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});

afterEach(() => {
  cleanup();
  for (const { id } of notices.shown) dismiss(id);
  account.me = undefined;
  window.history.pushState(null, '', '/');
  delete (window as { PublicKeyCredential?: unknown }).PublicKeyCredential;
});

it('asks again who it is, and then goes on', async () => {
  let proved = false;
  answering({
    'GET /api/me/sign_in': () => ways,
    'PUT /api/me/password': () => (proved ? undefined : refuse(403, 'sign_in_again')()),
    'POST /api/me/proof': (body) => {
      if ((body as { password: string }).password !== 'right') refuse(401, 'wrong_credentials')();
      proved = true;
    },
  });
  render(SignInSection);
  await settled();
  await fireEvent.click(screen.getByTestId('password-set'));
  await fireEvent.input(screen.getByTestId('password-new'), { target: { value: 'a new secret' } });
  const form = (label: string) => screen.getByTestId(label).closest('form') as HTMLFormElement;
  await fireEvent.submit(form('password-save'));
  await settled();
  for (const word of ['wrong', 'right']) {
    await fireEvent.input(screen.getByTestId('prove-password'), { target: { value: word } });
    await fireEvent.submit(form('prove-submit'));
    await settled();
    if (word === 'wrong')
      expect(screen.getByTestId('proof-fault').textContent).toBe('The password is wrong.');
  }
  expect(asked.filter(([call]) => call === 'PUT /api/me/password').length).toBe(2);
  expect(said()).toEqual(['The password is set.']);
  expect(screen.queryByTestId('proof')).toBeNull();
});

it('leaves everything as it is for who does not want to say it', async () => {
  answering({
    'GET /api/me/sign_in': () => ways,
    'POST /api/me/recovery_codes': refuse(403, 'sign_in_again'),
  });
  render(SignInSection);
  await settled();
  await fireEvent.click(screen.getByTestId('codes-make'));
  await settled();
  await fireEvent.click(screen.getByLabelText('Close'));
  await settled();
  expect(screen.queryByTestId('codes')).toBeNull();
  expect(said()).toEqual([]);
  expect((screen.getByTestId('codes-make') as HTMLButtonElement).disabled).toBe(false);
});

it('says why the last way stays', async () => {
  answering({ 'GET /api/me/sign_in': () => ways, 'DELETE /api/me/password': refuse(409, 'last_way') });
  render(SignInSection);
  await settled();
  await fireEvent.click(screen.getByTestId('password-remove'));
  await settled();
  expect(said()).toEqual(['Nobody could sign in any more without it. Add another way first.']);
});

it('shows codes once', async () => {
  answering({
    'GET /api/me/sign_in': () => ({ ...ways, recovery_codes: 1 }),
    'POST /api/me/recovery_codes': () => ({ codes: ['abcd-efgh-ijkl-mnop'] }),
  });
  render(SignInSection);
  await settled();
  expect(screen.getByTestId('codes-left').textContent).toContain('1 code is left');
  await fireEvent.click(screen.getByTestId('codes-make'));
  await settled();
  expect(screen.getByTestId('codes').textContent).toContain('abcd-efgh-ijkl-mnop');
  await fireEvent.click(screen.getByTestId('codes-kept'));
  expect(screen.queryByTestId('codes')).toBeNull();
});

it('offers no passkeys where the browser has none, and says where they are', async () => {
  answering({ 'GET /api/me/sign_in': () => ways });
  render(SignInSection);
  await settled();
  expect(screen.queryByTestId('passkey-add')).toBeNull();
  expect(screen.getByText(/They can be added elsewhere/)).toBeTruthy();
});

it('lists devices, this one first, and signs others out', async () => {
  const device = (id: string, given: Partial<Device> = {}): Device => {
    return { id, browser: 'Firefox', system: 'Linux', created_at: AT, seen_at: AT, current: false, ...given };
  };
  let there = [
    device('one'),
    device('two', { browser: null, system: null }),
    device('me', { current: true }),
  ];
  answering({
    'GET /api/me/devices': () => ({ devices: there }),
    'DELETE /api/me/devices/one': () => {
      there = there.filter(({ id }) => id !== 'one');
    },
    'DELETE /api/me/devices': () => {
      there = there.filter(({ current }) => current);
      return { ended: 1 };
    },
  });
  render(DevicesSection);
  await settled();
  const shown = () => screen.getAllByTestId('device').map((one) => one.querySelector('strong')?.textContent);
  expect(shown()).toEqual(['Firefox on Linux', 'Firefox on Linux', 'An unknown device']);
  expect(screen.getAllByTestId('device')[0]?.textContent).toContain('This device');
  await fireEvent.click(screen.getAllByTestId('device-out')[0] as HTMLElement);
  await settled();
  expect(shown()).toEqual(['Firefox on Linux', 'An unknown device']);
  await fireEvent.click(screen.getByTestId('devices-out'));
  await settled();
  expect(shown()).toEqual(['Firefox on Linux']);
  expect(screen.queryByTestId('devices-out')).toBeNull();
});

it('signs in by a link when one presses, not before', async () => {
  window.history.pushState(null, '', '/link#TOKEN');
  answering({ 'POST /api/sessions/by_link': () => ({ account: { id: 'ada', ...person('ada') } }) });
  render(LinkPage);
  await settled();
  expect(asked).toEqual([]);
  await fireEvent.click(screen.getByTestId('link-enter'));
  await settled();
  expect(asked).toEqual([['POST /api/sessions/by_link', { token: 'TOKEN' }]]);
  expect(account.me?.handle).toBe('ada');
  expect(window.location.hash).toBe('');
});

it('offers another link where one does not hold any more', async () => {
  window.history.pushState(null, '', '/link#TOKEN');
  answering({ 'POST /api/sessions/by_link': refuse(404, 'not_found'), 'POST /api/links': () => null });
  render(LinkPage);
  await fireEvent.click(screen.getByTestId('link-enter'));
  await settled();
  await fireEvent.input(screen.getByTestId('link-email'), { target: { value: ' ada@rooms.example ' } });
  await fireEvent.submit(screen.getByTestId('link-send').closest('form') as HTMLFormElement);
  await settled();
  expect(asked[1]).toEqual(['POST /api/links', { email: 'ada@rooms.example' }]);
  expect(screen.getByTestId('link-sent')).toBeTruthy();
});

it('confirms an address when one presses', async () => {
  window.history.pushState(null, '', '/confirm#TOKEN');
  answering({ 'POST /api/addresses/confirm': () => ({ handle: 'ada', email: 'ada@rooms.example' }) });
  render(ConfirmPage);
  await settled();
  expect(asked).toEqual([]);
  await fireEvent.click(screen.getByTestId('confirm'));
  await settled();
  expect(screen.getByTestId('confirmed').textContent).toBe('ada@rooms.example now belongs to @ada.');
});

it('signs in by a code', async () => {
  answering({ 'POST /api/sessions/by_code': refuse(401, 'wrong_credentials') });
  render(AccountForm, { props: { first: 'sign_in' } });
  await fireEvent.click(screen.getByTestId('to-code'));
  await fireEvent.input(screen.getByTestId('signin-handle'), { target: { value: '@Ada' } });
  await fireEvent.input(screen.getByTestId('signin-code'), { target: { value: 'abcd' } });
  await fireEvent.submit(screen.getByTestId('signin-submit').closest('form') as HTMLFormElement);
  await settled();
  expect(asked).toEqual([['POST /api/sessions/by_code', { handle: 'ada', code: 'abcd' }]]);
  expect(screen.getByTestId('form-fault').textContent).toContain('the code was used already');
});

it('offers a passkey first where there can be one, and a password without a dead end', async () => {
  vi.stubGlobal('isSecureContext', true);
  vi.stubGlobal('PublicKeyCredential', () => undefined);
  const signUp = vi.spyOn(api, 'signUp').mockResolvedValue({ id: 'eva', ...person('eva') });
  render(AccountForm);
  const submits = [...document.querySelectorAll<HTMLElement>('button[type=submit]')];
  expect(submits.map((one) => one.dataset['testid'])).toEqual(['signup-passkey', 'signup-submit']);
  await fireEvent.input(screen.getByTestId('signup-handle'), { target: { value: 'eva' } });
  await fireEvent.submit(screen.getByTestId('signup-submit').closest('form') as HTMLFormElement);
  await settled();
  expect(screen.getByText('A password has at least 8 characters.')).toBeTruthy();
  expect(signUp).not.toHaveBeenCalled();
  vi.unstubAllGlobals();
});

it('says in plain words what the browser says of a passkey', () => {
  const named = (name: string) => Object.assign(new Error('x'), { name });
  expect(explainHere(named('NotAllowedError'))).toContain('Nothing was done');
  expect(explainHere(named('InvalidStateError'))).toContain('already');
  expect(explainHere(named('SecurityError'))).toContain('do not work at this address');
  expect(explainHere(new Problem(409, 'ceremony_over', '', []))).toBe('That took too long. Try again.');
  expect(explainHere(new Problem(403, 'suspended', '', []))).not.toContain('suspended:');
});
