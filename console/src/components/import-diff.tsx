import { Fragment } from 'react';
import { useTexts } from './language.js';

interface FieldChange {
  zh: string;
  en: string;
  from: string;
  to: string;
}

type Change = 'added' | 'changed' | 'removed';

export interface ImportAnswer {
  applied: boolean;
  lots: { code: string; name: string; change: Change; fields: FieldChange[] }[];
  cameras: { id: string; name: string; change: Change; fields: FieldChange[]; berths: { id: string; number: string; change: Change; fields: FieldChange[] }[] }[];
  unchangedCameras: number;
  openVisits: { uid: string; cameraId: string; berthId: string; enteredAt: number }[];
  endedVisits: string[];
}

/** What an import changes: lots, cameras, and their berths. */
export function DiffTable({ answer, applied, remove, onRemove }: { answer: ImportAnswer; applied: boolean; remove: boolean; onRemove: (remove: boolean) => void }) {
  const { t, word } = useTexts();
  const nothing = answer.cameras.length === 0 && answer.lots.length === 0;
  const counts = (['added', 'changed', 'removed'] as const).map((change) => ({ change, cameras: answer.cameras.filter((camera) => camera.change === change).length, berths: answer.cameras.flatMap((camera) => camera.berths).filter((berth) => berth.change === change).length }));
  return (
    <section className="panel">
      <h3>
        {applied ? (
          <span className="tag ok">✓ {t('applied')}</span>
        ) : (
          t('changes')
        )}
        {!nothing &&
          counts.map(({ change, cameras, berths }) => (
            <span key={change} className={`count ${change}`}>
              {word(`change.${change}`)} {cameras} {t('cameraList')}, {berths} {t('berths')}
            </span>
          ))}
        {!nothing && (
          <span className="count">
            {t('unchanged')} {answer.unchangedCameras} {t('cameraList')}
          </span>
        )}
      </h3>
      {nothing && <p className="empty">{t('nothingChanges')}</p>}
      {answer.endedVisits.length > 0 && (
        <p className="note">
          {answer.endedVisits.length} {t('ended')}: {answer.endedVisits.join(', ')}
        </p>
      )}
      {!applied && answer.openVisits.length > 0 && (
        <div className="troubles" role="alert">
          <p>
            {answer.openVisits.length} {t('openVisits')}: {answer.openVisits.map((visit) => `${visit.cameraId} / ${visit.berthId}`).join(', ')}
          </p>
          <label>
            <input type="checkbox" checked={remove} onChange={(event) => onRemove(event.target.checked)} /> {t('removeAnyway')}
          </label>
        </div>
      )}
      {!nothing && (
        <div className="sheet">
          <table className="diff">
            <tbody>
              {answer.lots.map((lot) => (
                <tr key={lot.code} className={lot.change}>
                  <td>
                    <Sign change={lot.change} />
                    {t('lot')} {lot.code}
                  </td>
                  <td>{lot.name}</td>
                  <td>
                    <Fields fields={lot.fields} />
                  </td>
                </tr>
              ))}
              {answer.cameras.map((camera) => (
                <Fragment key={camera.id}>
                  <tr className={camera.change}>
                    <td>
                      <Sign change={camera.change} />
                      {camera.id}
                    </td>
                    <td>{camera.name}</td>
                    <td>
                      <Fields fields={camera.fields} />
                      {camera.change !== 'changed' && (
                        <span className="quiet">
                          {camera.berths.length} {t('berths')}: {camera.berths.map((berth) => berth.number).join(', ')}
                        </span>
                      )}
                    </td>
                  </tr>
                  {camera.change === 'changed' &&
                    camera.berths.map((berth) => (
                      <tr key={berth.id} className={`berth-change ${berth.change}`}>
                        <td>
                          <Sign change={berth.change} />
                          {t('berth')} {berth.number}
                        </td>
                        <td className="quiet">{berth.id}</td>
                        <td>
                          <Fields fields={berth.fields} />
                        </td>
                      </tr>
                    ))}
                </Fragment>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Sign({ change }: { change: Change }) {
  const { word } = useTexts();
  return <span className={`count ${change}`}>{word(`change.${change}`)}</span>;
}

function Fields({ fields }: { fields: FieldChange[] }) {
  const { t, language } = useTexts();
  return (
    <>
      {fields.map((field) => (
        <span key={field.zh} className="field">
          <b>{field[language]}</b> <del>{field.from === '' ? t('empty') : field.from}</del> → <ins>{field.to === '' ? t('empty') : field.to}</ins>
        </span>
      ))}
    </>
  );
}
