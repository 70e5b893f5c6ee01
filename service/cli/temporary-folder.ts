import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A new folder of our own for one run. Others may enter it: started by root, the embedded database runs as another user, who must
 * get through to its own folder. What must stay private in it (keys, configuration) has its own mode.
 */
export function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(folder, 0o755);
  return folder;
}
