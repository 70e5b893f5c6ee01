import { useState } from 'react';
import type { Problem } from '../api.js';
import { clockTime } from '../format.js';
import { useTexts } from './language.js';

/** A whole street may be without power: the page must still be seen. */
const AT_FIRST = 4;

/** What is wrong now; one quiet line when nothing is. `compact` shows one line until it is opened. */
export function ProblemList({ problems, known, compact }: { problems: Problem[]; known: boolean; compact: boolean }) {
  const { t } = useTexts();
  const [all, setAll] = useState(false);
  if (problems.length === 0) return known ? <p className="fine">{t('noProblems')}</p> : null;
  const shown = all ? problems : problems.slice(0, compact ? 1 : AT_FIRST);
  return (
    <ul className={compact && !all ? 'problems compact' : 'problems'} role="alert" aria-label={t('problems')}>
      {shown.map((problem) => (
        <li key={problem.part}>
          <time>{clockTime(problem.since)}</time> <b>{problem.part}</b> {problem.message}
        </li>
      ))}
      {(all || problems.length > shown.length) && (
        <li>
          <button type="button" onClick={() => setAll(!all)}>
            {all ? t('showLess') : `${t('moreOfThem')} ${problems.length - shown.length}`}
          </button>
        </li>
      )}
    </ul>
  );
}
