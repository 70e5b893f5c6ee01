/**
 * `npm run models:eval [task …]`: measures the models on the validation data and writes models/MODEL_CARD.md.
 *
 * The only npm command that needs Python: BERTHWATCH_PYTHON, or models/training/.venv, or python3, with models/training/requirements.txt.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const training = join(import.meta.dirname, '..', 'models', 'training');
const own = join(training, '.venv', 'bin', 'python');
const python = process.env.BERTHWATCH_PYTHON ?? (existsSync(own) ? own : 'python3');
const probe = spawnSync(python, ['-c', 'import torch, onnxruntime, cv2'], { encoding: 'utf8' });
if (probe.status !== 0) {
  const reason = probe.error?.message ?? probe.stderr.trim().split('\n').at(-1);
  console.error(`models:eval needs Python with what models/training/requirements.txt names; ${python} has it not (${reason}).\nMake it so: python3 -m venv models/training/.venv && models/training/.venv/bin/pip install -r models/training/requirements.txt\nor name another Python with BERTHWATCH_PYTHON.`);
  process.exit(1);
}
const run = spawnSync(python, ['evaluate.py', ...process.argv.slice(2)], { cwd: training, stdio: 'inherit', env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
process.exit(run.status ?? 1);
