import { useState } from 'react';
import type { VisitState } from '../api.js';
import { go, to } from '../router.js';
import { holdAddress } from '../storage-api.js';
import { askForVisit, rememberedName } from './export-panel.js';
import { useTexts } from './language.js';

/** From a visit to its footage: around enter and leave, all of it as one file, and kept from being deleted. */
export function VisitFootage({ visit, onClose }: { visit: VisitState; onClose: () => void }) {
  const { t } = useTexts();
  const [said, setSaid] = useState<string | null>(null);
  const play = (at: number): void => {
    onClose();
    go(`${to('footage', visit.cameraId)}?t=${at - 5_000}`);
  };
  const take = async (): Promise<void> => {
    const name = rememberedName() || prompt(t('requestedBy'))?.trim() || '';
    if (name === '') return;
    localStorage.setItem('requestedBy', name);
    try {
      await askForVisit(visit.uid, name);
      play(visit.enteredAt);
    } catch (error) {
      setSaid((error as Error).message);
    }
  };
  return (
    <p className="visit-footage">
      <button type="button" onClick={() => play(visit.enteredAt)}>
        ▶ {t('playEnter')}
      </button>{' '}
      {visit.leftAt !== null && (
        <button type="button" onClick={() => play(visit.leftAt ?? 0)}>
          ▶ {t('playLeave')}
        </button>
      )}{' '}
      <button type="button" onClick={() => void take()}>
        {t('exportVisit')}
      </button>{' '}
      <button
        type="button"
        onClick={() => {
          onClose();
          go(holdAddress({ visitUid: visit.uid }));
        }}
      >
        {t('holdFootage')}
      </button>
      {said !== null && <span className="diagnosis"> {said}</span>}
    </p>
  );
}
