import { useTexts } from './language.js';

export interface ImportProblem {
  sheet: string | null;
  row: number | null;
  column: string | null;
  value: string | null;
  zh: string;
  en: string;
}

/** Every problem of a file with the cell it is in. */
export function ProblemTable({ problems, total }: { problems: ImportProblem[]; total: number }) {
  const { t, language } = useTexts();
  return (
    <section className="panel faults">
      <h3>
        <span className="dot problem" /> {total} {t('problemsFound')}
      </h3>
      <div className="sheet">
        <table>
          <thead>
            <tr>
              <th>{t('sheet')}</th>
              <th>{t('row')}</th>
              <th>{t('column')}</th>
              <th>{t('value')}</th>
              <th>{t('problem')}</th>
            </tr>
          </thead>
          <tbody>
            {problems.map((problem, i) => (
              <tr key={i}>
                <td>{problem.sheet ?? ''}</td>
                <td className="number">{problem.row ?? ''}</td>
                <td>
                  <b>{problem.column ?? ''}</b>
                </td>
                <td>{problem.value && <code>{problem.value}</code>}</td>
                <td>{problem[language]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {total > problems.length && (
        <p className="empty">
          {t('moreProblems')} {problems.length}
        </p>
      )}
    </section>
  );
}
