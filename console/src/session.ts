/**
 * The token that the service asks for: given once in the page's address (`?token=…`) or in the dialog, kept for the tab. Whoever calls
 * the API and is refused waits here until somebody gave one, or would not.
 */

const KEY = 'token';

let token = ((): string | null => {
  const given = new URLSearchParams(location.search).get(KEY);
  if (given) sessionStorage.setItem(KEY, given);
  return given ?? sessionStorage.getItem(KEY);
})();

export const currentToken = (): string | null => token;

/** Why a token is asked for, in the service's words. */
export interface Ask {
  why: string;
  answer: (token: string | null) => void;
}

let declined = false;
let asking: { ask: Ask; answered: Promise<string | null> } | null = null;
const listeners = new Set<() => void>();
const tell = (): void => listeners.forEach((listener) => listener());

/**
 * Resolves with a token that a person gave now, or with null where they would not. One question at a time, however many ask; who
 * refused once is asked again only for what they do themselves (`insist`), not for what the page does by itself.
 */
export function askForToken(why: string, insist: boolean): Promise<string | null> {
  if (asking) return asking.answered;
  if (declined && !insist) return Promise.resolve(null);
  let answer: Ask['answer'] = () => undefined;
  const answered = new Promise<string | null>((resolve) => {
    answer = (given) => {
      asking = null;
      declined = given === null;
      if (given !== null) {
        token = given;
        sessionStorage.setItem(KEY, given);
      }
      tell();
      resolve(given);
    };
  });
  asking = { ask: { why, answer }, answered };
  tell();
  return answered;
}

export const pendingAsk = (): Ask | null => asking?.ask ?? null;

export function onAsk(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
