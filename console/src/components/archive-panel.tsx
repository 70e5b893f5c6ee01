import { age, bytesText, dateTime } from '../format.js';
import type { ArchiveView, CheckState } from '../storage-api.js';
import { useTexts } from './language.js';

/** The archive: whether it works, what waits for it and until when, and the check of what is stored. */
export function ArchivePanel({ view, now, names }: { view: ArchiveView; now: number; names: ReadonlyMap<string, string> }) {
  const { t, word, language } = useTexts();
  const { archive, check } = view;
  if (archive === null) {
    return (
      <section className="panel archive">
        <h3>{t('archive')}</h3>
        <p className="quiet">{t('noArchive')}</p>
        {check && <Check check={check} />}
      </section>
    );
  }
  const { backlog, blocked } = archive;
  return (
    <section className="panel archive">
      <h3>
        {t('archive')} <span className={`tag ${archive.state === 'ok' ? 'ok' : 'problem'}`}>{word(`archive.${archive.state}`)}</span>
      </h3>
      {(archive.reason !== null || archive.trouble !== null) && (
        <p className="troubles">
          {archive.reason ?? archive.trouble}
          {archive.nextTryAt !== null && (
            <small>
              {t('nextTry')} {age(language, archive.nextTryAt - now)}
            </small>
          )}
        </p>
      )}
      <dl className="facts-list">
        <div>
          <dt>{t('archivePlace')}</dt>
          <dd>{archive.place}</dd>
        </div>
        <div>
          <dt>{t('backlog')}</dt>
          <dd>
            {backlog.segments === 0 ? (
              t('backlogNone')
            ) : (
              <>
                <b>{bytesText(backlog.bytes)}</b> · {backlog.segments} {t('segmentsWord')}
                {backlog.oldestAt !== null && ` · ${t('oldestWaiting')} ${dateTime(backlog.oldestAt)} (${age(language, now - backlog.oldestAt)})`}
              </>
            )}
          </dd>
        </div>
        {backlog.segments > 0 && (
          <div>
            <dt>{t('remaining')}</dt>
            <dd>{backlog.remainingMs === null ? <span className="warning">{t('remainingUnknown')}</span> : age(language, backlog.remainingMs)}</dd>
          </div>
        )}
        <div>
          <dt>{t('uploadRate')}</dt>
          <dd>{bytesText(archive.bytesPerSecond)}/s</dd>
        </div>
        <div>
          <dt>{t('uploadedSince')}</dt>
          <dd>
            {bytesText(archive.uploaded.bytes)} · {archive.uploaded.segments} {t('segmentsWord')}
          </dd>
        </div>
        {blocked.segments > 0 && (
          <div>
            <dt>{t('blockedSegments')}</dt>
            <dd className="warning">
              {blocked.segments}
              {blocked.first && `: ${names.get(blocked.first.cameraId) ?? blocked.first.cameraId} #${blocked.first.segment}: ${blocked.first.error}`}
            </dd>
          </div>
        )}
        {archive.waitingRemovals > 0 && (
          <div>
            <dt>{t('waitingRemovals')}</dt>
            <dd>{archive.waitingRemovals}</dd>
          </div>
        )}
        {archive.unconfirmed > 0 && (
          <div>
            <dt>{t('unconfirmed')}</dt>
            <dd>{archive.unconfirmed}</dd>
          </div>
        )}
      </dl>
      {archive.uploading.length > 0 && (
        <>
          <h4>{t('uploading')}</h4>
          <ul className="uploads">
            {archive.uploading.map((one) => (
              <li key={`${one.cameraId} ${one.segment}`}>
                <span>
                  {names.get(one.cameraId) ?? one.cameraId} #{one.segment}
                </span>
                <progress value={one.sent} max={one.bytes} />
                <small>
                  {bytesText(one.sent)} / {bytesText(one.bytes)}
                </small>
              </li>
            ))}
          </ul>
        </>
      )}
      {check ? <Check check={check} /> : <p className="quiet small">{t('noCheck')}</p>}
    </section>
  );
}

function Check({ check }: { check: CheckState }) {
  const { t } = useTexts();
  return (
    <>
      <h4>{t('check')}</h4>
      <dl className="facts-list">
        <div>
          <dt>{t('lastRound')}</dt>
          <dd>{check.lastRoundAt === null ? t('neverYet') : dateTime(check.lastRoundAt)}</dd>
        </div>
        <div>
          <dt>{t('thisRound')}</dt>
          <dd>
            {check.segments} {t('segmentsWord')} · {bytesText(check.bytes)}
          </dd>
        </div>
        <div>
          <dt>{t('findings')}</dt>
          <dd className={check.findings > 0 ? 'warning' : ''}>{check.findings === 0 ? t('noFindings') : check.findings}</dd>
        </div>
      </dl>
    </>
  );
}
