import { ApiError } from '../api.js';
import { useTexts } from './language.js';

/** Why something was not done, in the service's words; that a token is missing, in ours as well. */
export function Failure({ error }: { error: Error | null }) {
  const { t } = useTexts();
  if (error === null) return null;
  const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
  return (
    <p className="said failed" role="alert">
      {refused && <b>{t('notAllowed')} · </b>}
      {error.message}
    </p>
  );
}
