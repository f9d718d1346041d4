/** Why somebody reports something, in the reader's words. */
import { say } from '../language/say.svelte';
import type { ReportReason } from '../protocol/types';

export const reasons: Record<ReportReason, () => string> = {
  spam: () => say('reason_spam'),
  harassment: () => say('reason_harassment'),
  hate: () => say('reason_hate'),
  violence: () => say('reason_violence'),
  sexual: () => say('reason_sexual'),
  minors: () => say('reason_minors'),
  impersonation: () => say('reason_impersonation'),
  other: () => say('reason_other'),
};
