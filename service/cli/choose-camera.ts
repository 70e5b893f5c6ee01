import { BerthwatchError } from '../../base/errors.js';
import type { Site, SiteCamera } from '../config/site.js';

/** The camera of a site file that pictures come from: the one named, or the only one. @throws BerthwatchError bad-input */
export function chooseCamera(site: Site, wanted: string | undefined, file: string): SiteCamera {
  const camera = wanted === undefined ? site.cameras[0] : site.cameras.find((c) => c.id === wanted);
  if (wanted === undefined && site.cameras.length > 1) throw new BerthwatchError('bad-input', 'SITE_CAMERA', `${file} has ${site.cameras.length} cameras: name one with --camera (${site.cameras.map((c) => c.id).join(', ')})`);
  if (!camera) throw new BerthwatchError('bad-input', 'SITE_CAMERA', `${file} has no camera "${wanted ?? ''}"; it has ${site.cameras.map((c) => c.id).join(', ') || 'none'}`);
  return camera;
}
