/** Entry of the process that checks models for `berthwatch models check FILE`: what kills native code must not kill the command. */
import { messageOf } from '../../base/errors.js';
import { checkManifest, describeNetwork } from '../models/check.js';
import type { CheckReply } from './check-models.js';

const reply = (message: CheckReply): void => void process.send?.(message, () => process.disconnect());
const file = process.argv[2] ?? '';
try {
  if (file.toLowerCase().endsWith('.onnx')) reply({ type: 'network', network: await describeNetwork(file) });
  else reply({ type: 'manifest', models: await checkManifest(file) });
} catch (error) {
  reply({ type: 'failed', message: messageOf(error) });
}
