import sharp from 'sharp';
import { label } from '../../evidence/overlay/layers.js';
import type { Observation, ObservedVehicle } from '../../vision/observation.js';
import { plateKind } from '../../vision/plate/grammar.js';
import { plateWord } from '../analyse/describe.js';
import type { SiteCamera } from '../config/site.js';

const COLOURS: Record<ObservedVehicle['class'], string> = { car: '#35e06f', bus: '#ffd23f', truck: '#ff8a3d', motorcycle: '#4fc3ff', person: '#ff5fa2' };

/** Labels of far vehicles are smaller, so that they do not hide their neighbours. */
const SMALLEST_TEXT = 9;
const TEXT_OF_WIDTH = 0.22;

const points = (polygon: readonly (readonly [number, number])[]): string => polygon.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');

/** A JPEG of the picture with berths, vehicle boxes, footprints, plate corners, and a label a vehicle: class, score, plate. */
export async function annotate(picture: { width: number; height: number; data: Uint8Array }, observation: Observation, camera: SiteCamera | null): Promise<Buffer> {
  const stroke = Math.max(1.5, picture.width / 900);
  const scale = camera ? picture.width / camera.width : 1;
  const berths = (camera?.berths ?? []).map((berth) => `<polygon points="${points(berth.polygon.map(([x, y]) => [x * scale, y * scale] as const))}" fill="none" stroke="#fff" stroke-dasharray="8 6" stroke-width="${stroke}"/>`);
  // Far ones first: what stands nearer, and its label, lies on top.
  const byDistance = [...observation.vehicles].sort((a, b) => a.box.y + a.box.height - b.box.y - b.box.height);
  const vehicles = byDistance.map((vehicle) => {
    const { box } = vehicle;
    const parts = [`<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" fill="none" stroke="${COLOURS[vehicle.class]}" stroke-width="${stroke}" opacity="${0.35 + 0.65 * vehicle.score}"/>`];
    if (vehicle.footprint) {
      parts.push(`<polygon points="${points(vehicle.footprint)}" fill="${COLOURS[vehicle.class]}33" stroke="${COLOURS[vehicle.class]}" stroke-width="${stroke / 2}"/>`);
      // The front edge thicker, so that the heading can be seen.
      parts.push(`<polyline points="${points(vehicle.footprint.slice(0, 2))}" fill="none" stroke="#f33" stroke-width="${stroke * 1.6}"/>`);
    }
    if (vehicle.plate) parts.push(`<polygon points="${points(vehicle.plate.corners)}" fill="none" stroke="#ff2fd0" stroke-width="${stroke / 1.5}"/>`);
    return parts.join('');
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${picture.width}" height="${picture.height}">${berths.join('')}${vehicles.join('')}</svg>`;
  const canvas = { width: picture.width, height: picture.height };
  const size = Math.max(11, Math.round(picture.height * 0.016));
  const labels = await Promise.all(
    byDistance.map((vehicle) => label(canvas, labelOf(vehicle), [vehicle.box.x, vehicle.box.y], Math.min(size, Math.max(SMALLEST_TEXT, Math.round(vehicle.box.width * TEXT_OF_WIDTH))))),
  );
  return sharp(picture.data, { raw: { width: picture.width, height: picture.height, channels: 3 } })
    .composite([{ input: Buffer.from(svg) }, ...labels.flat()])
    .jpeg({ quality: 85 })
    .toBuffer();
}

function labelOf({ class: name, score, plate }: ObservedVehicle): string {
  return `${name} ${score.toFixed(2)}${plate ? ` ${plateWord({ text: plate.text, kind: plateKind(plate.text, plate.colour) })}` : ''}`;
}
