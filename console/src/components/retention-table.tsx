import { bytesText } from '../format.js';
import type { CameraStorage } from '../storage-api.js';
import { to } from '../router.js';
import { useTexts } from './language.js';

const DAY_MS = 86_400_000;

/** Of each camera: how long its footage is kept, how much of that there is, and what the rest needs. */
export function RetentionTable({ cameras, names, now }: { cameras: readonly CameraStorage[]; names: ReadonlyMap<string, string>; now: number }) {
  const { t } = useTexts();
  return (
    <div className="sheet">
      <table className="retention-list">
        <thead>
          <tr>
            <th>{t('cameraList')}</th>
            <th>{t('retention')}</th>
            <th>{t('stored')}</th>
            <th className="number">{t('storedBytes')}</th>
            <th className="number">{t('ratePerDay')}</th>
            <th className="number">{t('whenWhole')}</th>
          </tr>
        </thead>
        <tbody>
          {cameras.map((camera) => {
            const [own = camera.cameraId, second] = camera.cameraId.split('~');
            const keep = camera.retentionMs / DAY_MS;
            const stored = camera.oldestDay === null ? 0 : Math.min(keep, (now - camera.oldestDay) / DAY_MS);
            const quotaDays = camera.quotaBytes === null || camera.bytesPerDay === null || camera.bytesPerDay === 0 ? null : Math.max(0, camera.quotaBytes - camera.bytes) / camera.bytesPerDay;
            return (
              <tr key={camera.cameraId}>
                <td data-label="">
                  <a href={to('footage', camera.cameraId)}>{names.get(own) ?? own}</a>
                  {second !== undefined && <span className="count">{t('secondStream')}</span>}
                  {camera.refused !== null && <small className="warning">{camera.refused}</small>}
                </td>
                <td data-label={t('retention')}>
                  {keep.toFixed(Number.isInteger(keep) ? 0 : 1)} {t('daysWord')}
                </td>
                <td data-label={t('stored')}>
                  <span className="fill">
                    <i style={{ width: `${(100 * stored) / Math.max(0.01, keep)}%` }} />
                  </span>
                  {stored.toFixed(1)} {t('daysWord')}
                </td>
                <td data-label={t('storedBytes')} className="number">
                  {bytesText(camera.bytes)}
                  {camera.quotaBytes !== null && <small>{`${t('quota')} ${bytesText(camera.quotaBytes)}`}</small>}
                  {quotaDays !== null && quotaDays < keep - stored && <small className="warning">{`${t('quotaReached')} ${quotaDays.toFixed(1)} ${t('daysWord')}`}</small>}
                </td>
                <td data-label={t('ratePerDay')} className="number">
                  {camera.bytesPerDay === null ? '–' : bytesText(camera.bytesPerDay)}
                </td>
                <td data-label={t('whenWhole')} className="number">
                  {camera.bytesPerDay === null ? '–' : bytesText(camera.bytesPerDay * keep)}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
