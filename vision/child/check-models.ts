import { fork } from 'node:child_process';
import { childEntry } from '../../base/child-entry.js';
import { BerthwatchError } from '../../base/errors.js';
import type { ModelCheck, NetworkDescription } from '../models/check.js';

export type CheckReply = { type: 'manifest'; models: ModelCheck[] } | { type: 'network'; network: NetworkDescription } | { type: 'failed'; message: string };

/**
 * Checks a manifest (`.json`) or describes a network (`.onnx`) in a process of its own.
 * @throws BerthwatchError bad-input: the file cannot be used at all, or it brings the process down
 */
export async function checkModels(file: string): Promise<Exclude<CheckReply, { type: 'failed' }>> {
  const entry = childEntry(import.meta.url, './check-main');
  const child = fork(entry.file, [file], { execArgv: entry.execArgv, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2_000)));
  const reply = await new Promise<CheckReply>((resolve) => {
    child.once('message', (message) => resolve(message as CheckReply));
    child.once('error', (error) => resolve({ type: 'failed', message: error.message }));
    child.once('exit', (code, signal) => resolve({ type: 'failed', message: `the process that opened it ended with ${signal ?? code}: ${errors.trim() || 'no message'}` }));
  });
  if (reply.type === 'failed') throw new BerthwatchError('bad-input', 'VISION_MODEL_CHECK', reply.message.includes(file) ? reply.message : `${file}: ${reply.message}`);
  return reply;
}
