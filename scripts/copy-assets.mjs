// Files that compiled code reads beside itself and that tsc leaves behind.
import { cpSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOMS = ['storage', 'vision'];
const ENDINGS = ['.sql', '.wasm'];

function copy(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) copy(path);
    else if (ENDINGS.some((ending) => name.endsWith(ending))) {
      mkdirSync(join('dist', dirname(path)), { recursive: true });
      cpSync(path, join('dist', path));
    }
  }
}

for (const room of ROOMS) copy(room);
