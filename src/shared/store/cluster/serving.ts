import { asNetError } from '../../errors/net-error.ts';
import type { Inbox } from './inbox.ts';
import { backOff } from './pause.ts';

export interface ServingParts {
  /** Those of this moment. */
  readonly followers: () => readonly Inbox[];
  /**
   * Serves all followers until there are none, or throws why it cannot. Calls `served` once it can: the next pause is the
   * shortest again.
   */
  readonly serve: (served: () => void) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Serves as long as there are followers, and tells them when it cannot. Never rejects. */
export async function keepServing({ followers, serve, signal }: ServingParts): Promise<void> {
  let failures = 0;
  while (followers().length > 0 && !signal.aborted)
    try {
      await serve(() => {
        failures = 0;
      });
    } catch (error) {
      const lost = asNetError(error, 'watch');
      for (const follower of followers()) follower.lose(lost);
      await backOff(failures++, signal);
    }
}
