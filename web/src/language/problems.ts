import { Problem, Unreachable } from '../protocol/problem';
import type { Key } from './messages';
import { say } from './say.svelte';

const known: Record<string, Key> = {
  handle_taken: 'problem_handle_taken',
  invite_required: 'problem_invite_required',
  registration_closed: 'problem_registration_closed',
  wrong_credentials: 'problem_wrong_credentials',
  not_signed_in: 'problem_not_signed_in',
  not_found: 'problem_not_found',
  hands_locked: 'problem_hands_locked',
  hands_off: 'problem_hands_off',
  hands_full: 'problem_hands_full',
  changed_meanwhile: 'problem_changed_meanwhile',
  guard_stops: 'problem_guard_stops',
  host_only: 'problem_host_only',
  suspended: 'problem_suspended',
  none_left: 'problem_none_left',
  key_elsewhere: 'problem_key_elsewhere',
  damaged: 'problem_damaged',
  no_waitlist: 'problem_no_waitlist',
  own_account: 'problem_own_account',
  last_administrator: 'problem_last_administrator',
  not_above: 'problem_not_above',
  stage_full: 'problem_stage_full',
  no_hands: 'problem_no_hands',
  not_next: 'problem_not_next',
  offer_expired: 'said_offer_expired',
  not_cohost: 'problem_not_cohost',
  not_confirmed: 'problem_not_confirmed',
  not_done: 'problem_not_done',
  room_full: 'problem_room_full',
  blocked: 'problem_blocked',
  private_account: 'problem_private_account',
  sign_in_again: 'problem_sign_in_again',
  identity_taken: 'problem_identity_taken',
  elsewhere_away: 'problem_elsewhere_away',
  sign_in_expired: 'problem_sign_in_expired',
  sign_in_refused: 'problem_sign_in_refused',
  wrong_issuer: 'problem_sign_in_refused',
  pictures_away: 'problem_pictures_away',
  unsupported_media_type: 'problem_unsupported',
  too_large: 'problem_too_large',
  already_hosting: 'problem_already_hosting',
  too_many_live: 'problem_too_many_live',
  too_many_scheduled: 'problem_too_many_scheduled',
  no_floor: 'problem_no_floor',
  taken: 'problem_taken',
  closed: 'problem_closed',
  own_action: 'problem_own_action',
  nothing_holds: 'problem_nothing_holds',
  already_appealed: 'problem_already_appealed',
  too_many_words: 'problem_too_many_words',
};

/** Why somebody may not open rooms yet, and what would change it. */
function notYet(problem: Problem): string {
  const count = problem.wanted ?? 0;
  switch (problem.because) {
    case 'off':
      return say('not_yet_off');
    case 'denied':
      return say('not_yet_denied');
    case 'testers':
      return say('not_yet_testers');
    case 'followers':
      return say('not_yet_followers', { count });
    case 'age':
      return say('not_yet_age', { count });
    case 'percent':
      return say('not_yet_percent');
    case 'access':
      return say('not_yet_access');
    case 'guests':
      return say('not_yet_guests');
    case 'cooling_off':
      return say('not_yet_cooling_off', { count });
    default:
      return problem.detail;
  }
}

/** What went wrong, in a plain sentence. */
export function explain(error: unknown): string {
  if (error instanceof Unreachable) return say('problem_unreachable');
  if (!(error instanceof Problem)) return say('problem_other', { detail: String(error) });
  if (error.status === 429) return say('problem_too_many');
  if (error.code === 'slow_hands')
    return say('problem_slow_hands', { count: Math.ceil((error.retryAfterMs ?? 1000) / 1000) });
  if (error.code === 'word_blocked') {
    const word = /“(.*)”/.exec(error.detail)?.[1] ?? '';
    return say(error.status === 403 ? 'problem_name_blocked' : 'problem_word_blocked', { word });
  }
  if (error.code === 'not_yet_hosting') return notYet(error);
  const key = known[error.code];
  if (key) return say(key as 'problem_handle_taken');
  const field = error.errors[0];
  return say('problem_other', {
    detail: field ? `${field.field}: ${field.message}` : error.detail || error.code,
  });
}

/** The fault of one field of a form, where the server named it. */
export function faultIn(error: unknown, field: string): string | null {
  if (!(error instanceof Problem)) return null;
  const fault = error.errors.find((one) => one.field === field);
  return fault && error.code === 'word_blocked' ? explain(error) : (fault?.message ?? null);
}
