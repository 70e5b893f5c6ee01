import { dateTime } from '../format.js';
import type { StoredFinding } from '../storage-api.js';
import type { TextKey } from '../texts.js';
import { useTexts } from './language.js';

const TODO: Record<string, TextKey> = {
  'no-file': 'todo.file',
  'file-size': 'todo.file',
  'file-damaged': 'todo.file',
  'no-object': 'todo.object',
  'object-size': 'todo.object',
  'object-damaged': 'todo.object',
  'object-unreadable': 'todo.object',
  'stray-file': 'todo.stray',
  'stray-object': 'todo.stray',
  lost: 'todo.lost',
  'stale-upload': 'todo.stale',
};

/** What checks found: which footage, what is wrong with it, what to do. */
export function FindingList({ found, names }: { found: { count: number; findings: StoredFinding[] }; names: ReadonlyMap<string, string> }) {
  const { t, word } = useTexts();
  if (found.count === 0) return <p className="quiet">{t('noFindings')}</p>;
  const sum = (text: string): string => (text.length > 24 ? `${text.slice(0, 12)}…` : text);
  return (
    <ul className="finding-list">
      {found.findings.map((one) => {
        const todo = TODO[one.kind];
        return (
          <li key={`${one.cameraId} ${one.segment} ${one.kind} ${one.where}`}>
            <p>
              <b>{word(`finding.${one.kind}`)}</b>
              {one.cameraId !== null && (
                <span>
                  {names.get(one.cameraId) ?? one.cameraId}
                  {one.segment !== null && ` #${one.segment}`}
                </span>
              )}
              {one.startedAt !== null && one.endedAt !== null && (
                <span>
                  {dateTime(one.startedAt)} – {dateTime(one.endedAt).slice(6)}
                </span>
              )}
              <time>{dateTime(one.foundAt)}</time>
            </p>
            <p className="quiet">
              <code>{one.where}</code>
              {(one.expected !== null || one.actual !== null) && (
                <span title={`${one.expected ?? ''} ≠ ${one.actual ?? ''}`}>
                  {' '}
                  · {t('expectedSum')} <code>{sum(one.expected ?? '–')}</code> {t('foundSum')} <code>{sum(one.actual ?? '–')}</code>
                </span>
              )}
              {one.damage !== null && (
                <span>
                  {' '}
                  ·{' '}
                  {one.damage.gop !== null && (
                    <>
                      {t('fromGop')} {one.damage.gop} {t('gopOn')}
                      {one.damage.at !== null && ` (${dateTime(one.damage.at)})`}:{' '}
                    </>
                  )}
                  {one.damage.what}
                </span>
              )}
            </p>
            {todo !== undefined && <p className="todo">→ {t(todo)}</p>}
          </li>
        );
      })}
      {found.count > found.findings.length && (
        <li className="quiet">
          +{found.count - found.findings.length} · {t('moreFindings')}
        </li>
      )}
    </ul>
  );
}
