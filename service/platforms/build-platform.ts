import { readFileSync } from 'node:fs';
import type { Clock } from '../../base/clock.js';
import { BerthwatchError, messageOf } from '../../base/errors.js';
import type { Platform } from '../../platform/message.js';
import { QingdaoPlatform } from '../../platform/qingdao/adapter.js';
import { readPrivateKey, readPublicKey } from '../../platform/wire/rsa-blocks.js';
import { inFolder, type PlatformConfig } from '../config/config.js';

/** The adapter that a configuration names. @throws BerthwatchError bad-input naming the key file that cannot be used */
export function buildPlatform(config: PlatformConfig, baseFolder: string, clock: Clock): Platform {
  const key = (setting: 'platformPublicKeyFile' | 'userPrivateKeyFile'): string => {
    const file = inFolder(baseFolder, config[setting]);
    try {
      return readFileSync(file, 'utf8');
    } catch (cause) {
      throw new BerthwatchError('bad-input', 'CONFIG_KEY_FILE', `platforms.${config.id}.${setting}: cannot read ${file}: ${messageOf(cause)}`, { cause });
    }
  };
  return new QingdaoPlatform({
    id: config.id,
    baseUrl: config.baseUrl,
    accessId: config.accessId,
    platformPublicKey: readPublicKey(key('platformPublicKeyFile'), `platforms.${config.id}.platformPublicKeyFile`),
    userPrivateKey: readPrivateKey(key('userPrivateKeyFile'), `platforms.${config.id}.userPrivateKeyFile`),
    timeoutMs: config.timeout,
    clock,
  });
}
