import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { onAsk, pendingAsk, type Ask } from '../session.js';
import { useTexts } from './language.js';

/** Asks for the token whenever a call needs one. */
export function TokenDialog() {
  const ask = useSyncExternalStore(onAsk, pendingAsk);
  return ask && <TokenForm ask={ask} />;
}

function TokenForm({ ask }: { ask: Ask }) {
  const { t } = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  const [given, setGiven] = useState('');
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="token" onCancel={() => ask.answer(null)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          ask.answer(given.trim());
        }}
      >
        <h2>{t('tokenNeeded')}</h2>
        <p>{t('tokenWhere')}</p>
        <p className="facts">{ask.why}</p>
        <input type="password" autoComplete="current-password" aria-label={t('token')} placeholder={t('token')} value={given} onChange={(event) => setGiven(event.target.value)} autoFocus required />
        <p className="buttons">
          <button type="button" onClick={() => ask.answer(null)}>
            {t('cancel')}
          </button>
          <button type="submit" className="primary">
            {t('confirm')}
          </button>
        </p>
      </form>
    </dialog>
  );
}
