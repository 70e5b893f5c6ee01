import type { Box } from '../../base/geometry.js';
import type { Picture } from '../decode/picture.js';
import type { BodyColour, VehicleClass, VehicleType, VehicleView } from '../observation.js';
import type { AttributesModel } from './manifest.js';
import { withMargin } from './plate-finder.js';
import { argmax, clamp01 } from './plate-reader.js';
import type { ModelSession } from './session.js';
import { fillFromBox } from './tensor.js';
import { part } from './vehicle-detector.js';

export interface Attributes {
  type: VehicleType;
  bodyColour: BodyColour;
  bodyColourConfidence: number;
  view: VehicleView | null;
}

/** What is said without an attribute network: the type that the class implies, no colour, no view. */
export function impliedAttributes(vehicleClass: VehicleClass): Attributes {
  const type = vehicleClass === 'bus' || vehicleClass === 'truck' ? 'large' : 'small';
  return { type, bodyColour: 'other', bodyColourConfidence: 0, view: null };
}

/** Type, body colour and view of each vehicle by the attribute network; heads it lacks are implied by the class. */
export async function classifyVehicles(
  session: ModelSession<AttributesModel>,
  picture: Picture,
  vehicles: readonly { box: Box; class: VehicleClass }[],
): Promise<Attributes[]> {
  const { entry } = session;
  const outputs = await session.run(vehicles.length, (room, slot, i) => {
    fillFromBox(room, slot, picture, withMargin((vehicles[i] as { box: Box }).box, entry.cropMargin), entry.input);
  });
  return outputs.map((output, i) => {
    const attributes = impliedAttributes((vehicles[i] as { class: VehicleClass }).class);
    for (const head of entry.outputs.heads) {
      const values = part(entry, output, head.output).data;
      const best = argmax(values);
      const label = head.labels[best];
      if (head.name === 'vehicle-type') attributes.type = label as VehicleType;
      if (head.name === 'view') attributes.view = label as VehicleView;
      if (head.name === 'body-colour') {
        attributes.bodyColour = label as BodyColour;
        attributes.bodyColourConfidence = clamp01(values[best] ?? 0);
      }
    }
    return attributes;
  });
}
