import { existsSync } from 'node:fs';
import { ConfigSchema, finishConfig, readConfig, type Config } from '../config/config.js';

/** The configuration of a command: the named file, `berthwatch.yaml` in the current folder, or the defaults. */
export function loadConfig(file: string | null): Config {
  if (file !== null) return readConfig(file);
  return existsSync('berthwatch.yaml') ? readConfig('berthwatch.yaml') : finishConfig(ConfigSchema.parse({}), process.cwd(), process.env);
}
