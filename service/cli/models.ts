import { resolve } from 'node:path';
import { checkModels } from '../../vision/child/check-models.js';
import type { TensorShape } from '../../vision/models/check.js';

/** `berthwatch models check FILE`: what is wrong with an operator's own models, or what a bare network could serve as. */
export async function checkModelFile(file: string): Promise<void> {
  const reply = await checkModels(resolve(file));
  const out = (line: string): void => void process.stdout.write(`${line}\n`);
  if (reply.type === 'network') {
    const list = (tensors: readonly TensorShape[]): string => tensors.map((t) => `${t.name} ${t.type} [${t.shape.join(',')}]`).join('; ');
    out(`${file}: sha256 ${reply.network.sha256}`);
    out(`  inputs: ${list(reply.network.inputs)}`);
    out(`  outputs: ${list(reply.network.outputs)}`);
    out(
      reply.network.families.length > 0
        ? `  by its shapes it could be of: ${reply.network.families.join(', ')}. Name it in a manifest (docs/MODELS.md) and check that.`
        : '  its outputs fit no family that berthwatch knows (docs/MODELS.md): add what is missing (sigmoid, grid, reshaping) to the graph.',
    );
    return;
  }
  let wrong = 0;
  for (const model of reply.models) {
    wrong += model.problems.length > 0 ? 1 : 0;
    out(`${model.problems.length > 0 ? 'WRONG' : 'ok   '} ${model.id} (${model.task}, ${model.file})${model.ms === null ? '' : `, ${model.ms.toFixed(1)} ms a picture on one core`}`);
    for (const problem of model.problems) out(`      ${problem}`);
  }
  if (wrong > 0) process.exitCode = 1;
}
