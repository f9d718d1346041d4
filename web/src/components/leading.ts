/** The host's and co-hosts' commands, carried out and answered in words. */
import { api } from '../account.svelte';
import { say } from '../language/say.svelte';
import { notify } from '../notices.svelte';
import type { Lead } from './lead';

type Attempt = (work: () => Promise<unknown>) => Promise<boolean>;

export function leading(id: () => string, attempt: Attempt): Lead {
  const lead: Lead = {
    grant: (person) =>
      void attempt(async () => {
        const state = await api.grant(id(), person.handle);
        if (state === 'offered') notify(say('said_offer_made', { name: person.name }));
      }),
    dismiss: (person) => void attempt(() => api.dismissHand(id(), person.handle)),
    withdraw: (person) => void attempt(() => api.revoke(id(), person.handle)),
    revoke: (person) => void attempt(() => api.revoke(id(), person.handle)),
    mute: (person) => void attempt(() => api.mute(id(), person.handle)),
    muteAll: () => void attempt(() => api.muteAll(id())),
    lockHands: (locked) => void attempt(() => (locked ? api.lockHands(id()) : api.unlockHands(id()))),
    next: (person) => void attempt(() => api.next(id(), person.handle)),
    setTurns: (turns) => void attempt(() => (turns ? api.setTurns(id(), turns) : api.liftTurns(id()))),
    sizeStage: (capacity) => void attempt(() => api.sizeStage(id(), capacity)),
    slowHands: (pause) =>
      void attempt(() => (pause === null ? api.unslowHands(id()) : api.slowHands(id(), pause))),
    nameSuccessor: (handle, known) =>
      void attempt(async () => {
        if (handle !== null) await api.nameSuccessor(id(), handle);
        else if (known !== null) await api.dropSuccessor(id(), known);
      }),
    addCohost: (person) => void attempt(() => api.addCohost(id(), person.handle)),
    removeCohost: (person) => void attempt(() => api.removeCohost(id(), person.handle)),
    limit: (listeners) =>
      void attempt(async () => {
        await api.limit(id(), listeners);
        notify(
          listeners ? say('said_listeners_at_most', { count: listeners }) : say('said_no_listeners_at_most'),
        );
      }),
    end: () => void attempt(() => api.end(id())),
    invite: (person) =>
      attempt(async () => {
        await api.invite(id(), person.handle);
        notify(say('said_invited', { name: person.name }));
      }),
    remove: (person) =>
      void attempt(async () => {
        await api.remove(id(), person.handle);
        // A slip of the thumb must be easy to take back.
        const restore = { label: say('restore'), run: () => lead.restore(person) };
        notify(say('said_removed', { name: person.name }), 'plain', restore);
      }),
    keepOut: (person) =>
      void attempt(async () => {
        await api.keepOut(person.handle);
        const back = { label: say('let_back'), run: () => lead.letBack(person) };
        notify(say('said_kept_out', { name: person.name }), 'plain', back);
      }),
    letBack: (person) =>
      void attempt(async () => {
        await api.letBack(person.handle);
        notify(say('said_let_back', { name: person.name }));
      }),
    restore: (person) =>
      void attempt(async () => {
        await api.restore(id(), person.handle);
        notify(say('said_restored', { name: person.name }));
      }),
  };
  return lead;
}
