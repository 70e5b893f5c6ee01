import sharp from 'sharp';
import { boundingBox, type Point } from '../../base/geometry.js';
import { label } from '../../evidence/overlay/layers.js';
import { berthsOnPicture, type PicturedBerth } from '../../parking/one-picture.js';
import type { Observation, ObservedVehicle } from '../../vision/observation.js';
import { plateKind } from '../../vision/plate/grammar.js';
import { plateWord } from '../analyse/describe.js';
import { cameraSite, type SiteCamera } from '../config/site.js';

const COLOURS: Record<ObservedVehicle['class'], string> = { car: '#35e06f', bus: '#ffd23f', truck: '#ff8a3d', motorcycle: '#4fc3ff', person: '#ff5fa2' };

/** Of a berth by what it holds on this picture: its outline, the ground of its label, and the words on it. */
const BERTHS: Record<PicturedBerth['state'], { stroke: string; ground: { r: number; g: number; b: number; alpha: number }; words: string }> = {
  free: { stroke: '#ffffff', ground: { r: 255, g: 255, b: 255, alpha: 0.75 }, words: '空闲 free' },
  occupied: { stroke: '#5ab4ff', ground: { r: 90, g: 180, b: 255, alpha: 0.9 }, words: '占用 occupied' },
  obstructed: { stroke: '#ffa01e', ground: { r: 255, g: 160, b: 30, alpha: 0.9 }, words: '障碍 obstructed' },
};

/** Labels of far vehicles are smaller, so that they do not hide their neighbours. */
const SMALLEST_TEXT = 9;
const TEXT_OF_WIDTH = 0.22;
const TEXT_OF_BERTH = 0.08;
/** Of a label, in sizes of its text. */
const LABEL_HEIGHT = 1.7;

const points = (polygon: readonly (readonly [number, number])[]): string => polygon.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');

/** A JPEG of the picture with berths and what they hold, vehicle boxes, footprints, plate corners, and a label a vehicle: class, score, plate. */
export async function annotate(picture: { width: number; height: number; data: Uint8Array }, observation: Observation, camera: SiteCamera | null): Promise<Buffer> {
  const stroke = Math.max(1.5, picture.width / 900);
  const canvas = { width: picture.width, height: picture.height };
  const size = Math.max(11, Math.round(picture.height * 0.016));
  const outlined = camera ? outlines(picture, observation, camera) : [];
  const berths = outlined.map(({ polygon, looks }) => `<polygon points="${points(polygon)}" fill="none" stroke="${looks.stroke}" stroke-dasharray="8 6" stroke-width="${stroke}"/>`);
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
  // Below the berth, so that what stands in it can be seen.
  const berthLabels = await Promise.all(
    outlined.map(({ number, polygon, looks }) => {
      const { x, y, width, height } = boundingBox(polygon);
      const text = Math.min(size, Math.max(SMALLEST_TEXT, Math.round(width * TEXT_OF_BERTH)));
      return label(canvas, `${number} ${looks.words}`, [x, y + height + text * LABEL_HEIGHT], text, looks.ground);
    }),
  );
  const labels = await Promise.all(
    byDistance.map((vehicle) => label(canvas, labelOf(vehicle), [vehicle.box.x, vehicle.box.y], Math.min(size, Math.max(SMALLEST_TEXT, Math.round(vehicle.box.width * TEXT_OF_WIDTH))))),
  );
  return sharp(picture.data, { raw: { width: picture.width, height: picture.height, channels: 3 } })
    .composite([{ input: Buffer.from(svg) }, ...berthLabels.flat(), ...labels.flat()])
    .jpeg({ quality: 85 })
    .toBuffer();
}

/** The berths as the picture shows them: outlines in its pixels, and how what they hold looks. */
function outlines(picture: { width: number; height: number }, observation: Observation, camera: SiteCamera): { number: string; polygon: Point[]; looks: (typeof BERTHS)[PicturedBerth['state']] }[] {
  return berthsOnPicture(observation, cameraSite(camera)).flatMap(({ berthId, number, state }) => {
    const berth = camera.berths.find(({ id }) => id === berthId);
    const polygon = berth?.polygon.map(([x, y]): Point => [(x * picture.width) / camera.width, (y * picture.height) / camera.height]);
    return polygon ? [{ number, polygon, looks: BERTHS[state] }] : [];
  });
}

function labelOf({ class: name, score, plate }: ObservedVehicle): string {
  return `${name} ${score.toFixed(2)}${plate ? ` ${plateWord({ text: plate.text, kind: plateKind(plate.text, plate.colour) })}` : ''}`;
}
