import { bytesText, dateTime } from '../format.js';
import type { StorageState } from '../storage-api.js';
import { useTexts } from './language.js';

const TONES = { ok: 'ok', filling: 'paused', dropping: 'problem', refusing: 'problem', unknown: 'offline' } as const;

/** The disk of the footage: how full, how long it lasts, and what happens when it is full. */
export function DiskPanel({ storage }: { storage: StorageState }) {
  const { t, word } = useTexts();
  const { disk, dropped, lastPass } = storage;
  const share = (bytes: number): string => `${Math.max(0, Math.min(100, (100 * bytes) / Math.max(1, disk?.totalBytes ?? 1)))}%`;
  const used = disk ? disk.totalBytes - disk.freeBytes : 0;
  return (
    <section className="panel disk">
      <h3>
        {t('disk')} <span className={`tag ${TONES[storage.state]}`}>{word(`storage.${storage.state}`)}</span>
      </h3>
      {disk ? (
        <>
          <div className="meter" role="img" aria-label={`${t('diskFree')} ${bytesText(disk.freeBytes)} ${t('diskOf')} ${bytesText(disk.totalBytes)}`}>
            <i className="footage" style={{ width: share(Math.min(storage.bytes, used)) }} />
            <i className="others" style={{ width: share(used - Math.min(storage.bytes, used)) }} />
            <i className="reserve" style={{ width: share(disk.reserveBytes) }} />
          </div>
          <p className="legend">
            <b>
              {t('diskFree')} {bytesText(disk.freeBytes)}
            </b>{' '}
            {t('diskOf')} {bytesText(disk.totalBytes)}
            <span className="key footage">
              {t('diskFootage')} {bytesText(storage.bytes)}
            </span>
            <span className="key reserve">
              {t('diskReserve')} {bytesText(disk.reserveBytes)}
            </span>
          </p>
        </>
      ) : (
        <p className="said failed">{t('diskUnknown')}</p>
      )}
      <dl className="facts-list">
        <div>
          <dt>{t('daysLeft')}</dt>
          <dd>{storage.bytesPerDay === null ? t('notYet') : storage.daysLeft === null ? t('daysEnough') : <b className={storage.daysLeft < 3 ? 'warning' : ''}>{`${storage.daysLeft.toFixed(1)} ${t('daysWord')}`}</b>}</dd>
        </div>
        <div>
          <dt>{t('ratePerDay')}</dt>
          <dd>{storage.bytesPerDay === null ? t('notYet') : bytesText(storage.bytesPerDay)}</dd>
        </div>
        <div>
          <dt>{t('whenFull')}</dt>
          <dd>{word(`whenfull.${storage.whenFull}`)}</dd>
        </div>
        {storage.quotaBytes !== null && (
          <div>
            <dt>{t('quota')}</dt>
            <dd>
              {bytesText(storage.bytes)} / {bytesText(storage.quotaBytes)}
            </dd>
          </div>
        )}
        {dropped.segments > 0 && (
          <div>
            <dt>{t('droppedEarly')}</dt>
            <dd className="warning">
              {dropped.segments} {t('segmentsWord')} · {bytesText(dropped.bytes)}
              {dropped.lastAt !== null && ` · ${dateTime(dropped.lastAt)}`}
            </dd>
          </div>
        )}
        <div>
          <dt>{t('lastPass')}</dt>
          <dd>{lastPass === null ? t('notYet') : `${dateTime(lastPass.at)} · ${t('lastPassDid')} ${lastPass.segments} ${t('segmentsWord')} · ${bytesText(lastPass.bytes)} · ${(lastPass.tookMs / 1000).toFixed(1)} s`}</dd>
        </div>
      </dl>
    </section>
  );
}
