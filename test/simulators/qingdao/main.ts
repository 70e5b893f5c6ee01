/**
 * `node dist/test/simulators/qingdao/main.js --config city.json [--port n] [--admin-port n] [--state file]`
 * `node dist/test/simulators/qingdao/main.js --generate-keys <folder>`
 * The simulated Qingdao city platform; what happens is printed as JSON lines, first of all `listening` with both ports.
 */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { withKeyFiles, type QingdaoConfigInput } from './config.js';
import { writeKeys } from './keys.js';
import { QingdaoPlatform } from './platform.js';

async function main(): Promise<void> {
  const options = new Command('qingdao')
    .description('a simulated Qingdao city platform (T/QME 0013-2024 appendix A)')
    .option('--config <file>', 'JSON; keys as text or as privateKeyFile and users[].publicKeyFile')
    .option('--port <port>', 'HTTP port of the interfaces', Number)
    .option('--admin-port <port>', 'HTTP port of /admin', Number)
    .option('--state <file>', 'keep the state in this file')
    .option('--generate-keys <folder>', 'write the key pairs of both sides and exit')
    .parse()
    .opts<{ config?: string; port?: number; adminPort?: number; state?: string; generateKeys?: string }>();
  if (options.generateKeys !== undefined) {
    process.stdout.write(`${JSON.stringify(writeKeys(options.generateKeys))}\n`);
    return;
  }
  if (options.config === undefined) throw new Error('--config or --generate-keys is needed');
  const raw = withKeyFiles(JSON.parse(readFileSync(options.config, 'utf8')) as Record<string, unknown>);
  const config = {
    ...raw,
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.adminPort === undefined ? {} : { adminPort: options.adminPort }),
    ...(options.state === undefined ? {} : { state: options.state }),
  };
  const platform = new QingdaoPlatform(config as QingdaoConfigInput, (event) => process.stdout.write(`${JSON.stringify(event)}\n`));
  const stop = (): void => {
    void platform.close().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await platform.start();
}

main().catch((error: Error) => {
  process.stderr.write(`qingdao: ${error.message}\n`);
  process.exit(2);
});
