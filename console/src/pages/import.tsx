import { useEffect, useRef, useState } from 'react';
import { ApiError, call, get } from '../api.js';
import { useTexts } from '../components/language.js';
import { DiffTable, type ImportAnswer } from '../components/import-diff.js';
import { ProblemTable, type ImportProblem } from '../components/import-problems.js';
import { UnusedChannels, type UnusedChannel } from '../components/unused-channels.js';
import './cameras.css';

type Outcome = { kind: 'problems'; problems: ImportProblem[]; total: number } | { kind: 'preview' | 'applied'; answer: ImportAnswer } | { kind: 'failed'; message: string };

/** The site from a file: templates, a preview of what would change, every problem with its cell, and the change itself. */
export function ImportPage() {
  const { t } = useTexts();
  const [file, setFile] = useState<File | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [busy, setBusy] = useState<'checking' | 'applying' | null>(null);
  const [remove, setRemove] = useState(false);
  const [channels, setChannels] = useState<UnusedChannel[]>([]);

  useEffect(() => {
    const abort = new AbortController();
    get<UnusedChannel[]>('/api/devices/unused-channels', abort.signal).then(setChannels, () => undefined);
    return () => abort.abort();
  }, [outcome]);

  const upload = async (chosen: File, dryRun: boolean): Promise<void> => {
    setBusy(dryRun ? 'checking' : 'applying');
    try {
      const query = new URLSearchParams({ name: chosen.name, dryRun: dryRun ? '1' : '0', remove: remove ? '1' : '0' });
      const response = await call(`/api/site/import?${query.toString()}`, { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: chosen });
      setOutcome({ kind: dryRun ? 'preview' : 'applied', answer: (await response.json()) as ImportAnswer });
    } catch (error) {
      const body = error instanceof ApiError ? (error.body as { problems?: ImportProblem[]; total?: number } | null) : null;
      setOutcome(body?.problems ? { kind: 'problems', problems: body.problems, total: body.total ?? body.problems.length } : { kind: 'failed', message: (error as Error).message });
    }
    setBusy(null);
  };
  const choose = (chosen: File | undefined): void => {
    if (!chosen) return;
    setFile(chosen);
    setRemove(false);
    setOutcome(null);
    void upload(chosen, true);
  };

  return (
    <main className="page">
      <section className="panel import">
        <h2>{t('importTitle')}</h2>
        <p className="lead">{t('importLead')}</p>
        <p className="downloads">
          <Download path="/api/site/template.xlsx" name="berthwatch-template.xlsx" text={t('templateXlsx')} />
          <Download path="/api/site/template.csv" name="berthwatch-template.csv" text={t('templateCsv')} />
          <Download path="/api/site/site.xlsx" name="berthwatch-site.xlsx" text={t('exportXlsx')} />
        </p>
        <DropZone file={file} onChoose={choose} />
        {file && (
          <p className="buttons">
            <button type="button" disabled={busy !== null} onClick={() => void upload(file, true)}>
              {busy === 'checking' ? t('checking') : t('preview')}
            </button>
            <button
              type="button"
              className="primary"
              disabled={busy !== null || outcome?.kind !== 'preview' || (outcome.answer.openVisits.length > 0 && !remove) || isEmpty(outcome.answer)}
              onClick={() => void upload(file, false)}
            >
              {busy === 'applying' ? t('applying') : t('apply')}
            </button>
          </p>
        )}
      </section>
      <div aria-live="polite">
        {outcome?.kind === 'failed' && (
          <p className="broken" role="alert">
            {outcome.message}
          </p>
        )}
        {outcome?.kind === 'problems' && <ProblemTable problems={outcome.problems} total={outcome.total} />}
        {(outcome?.kind === 'preview' || outcome?.kind === 'applied') && <DiffTable answer={outcome.answer} applied={outcome.kind === 'applied'} remove={remove} onRemove={setRemove} />}
      </div>
      <UnusedChannels channels={channels} />
    </main>
  );
}

const isEmpty = (answer: ImportAnswer): boolean => answer.cameras.length === 0 && answer.lots.length === 0;

function Download({ path, name, text }: { path: string; name: string; text: string }) {
  const fetchFile = async (): Promise<void> => {
    const url = URL.createObjectURL(await (await call(path)).blob());
    const link = document.createElement('a');
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  return (
    <button type="button" onClick={() => void fetchFile().catch(() => undefined)}>
      ↓ {text}
    </button>
  );
}

function DropZone({ file, onChoose }: { file: File | null; onChoose: (file: File | undefined) => void }) {
  const { t } = useTexts();
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  return (
    <label
      className={over ? 'drop over' : 'drop'}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        onChoose(event.dataTransfer.files[0]);
      }}
    >
      <input
        ref={input}
        type="file"
        accept=".xlsx,.csv,.txt,.yaml,.yml"
        onChange={(event) => {
          onChoose(event.target.files?.[0]);
          // The same file, corrected, can be chosen again.
          event.target.value = '';
        }}
      />
      <b>{file === null ? t('drop') : `${t('chosen')} ${file.name}`}</b>
      <span>{file === null ? t('dropTypes') : `${(file.size / 1024).toFixed(0)} KB · ${t('drop')}`}</span>
    </label>
  );
}
