/** What can be done to somebody, in words. */
import type { Measure } from '../protocol/types';
import { tell } from './say';

export const measures: Record<Measure | 'dismissed', () => string> = {
  warn: () => tell('measure_warn'),
  remove: () => tell('measure_remove'),
  suspend: () => tell('measure_suspend'),
  ban: () => tell('measure_ban'),
  restore: () => tell('measure_restore'),
  dismissed: () => tell('measure_dismissed'),
};
