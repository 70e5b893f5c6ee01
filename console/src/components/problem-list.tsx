import type { Problem } from '../api.js';
import { clockTime } from '../format.js';
import { useTexts } from './language.js';

/** What is wrong now; one quiet line when nothing is. */
export function ProblemList({ problems, known }: { problems: Problem[]; known: boolean }) {
  const { t } = useTexts();
  if (problems.length === 0) return known ? <p className="fine">{t('noProblems')}</p> : null;
  return (
    <ul className="problems" role="alert" aria-label={t('problems')}>
      {problems.map((problem) => (
        <li key={problem.part}>
          <time>{clockTime(problem.since)}</time> <b>{problem.part}</b> {problem.message}
        </li>
      ))}
    </ul>
  );
}
