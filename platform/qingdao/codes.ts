import type { VisitPlate } from '../../parking/model/visit.js';
import type { PlateColour, VehicleType } from '../../vision/observation.js';

/** Data dictionary of T/QME 0013-2024 A.5. */
export const CAR_TYPE: Record<VehicleType, number> = { small: 1, medium: 2, large: 3 };

export const PLATE_COLOUR: Record<PlateColour, number> = { blue: 1, yellow: 2, white: 3, black: 4, green: 5, 'yellow-green': 6 };

/** 停车类型 1: temporary parking. Kerbside berths know no other until reservations exist. */
export const PARKING_TYPE_TEMPORARY = 1;

/**
 * The dictionary has no code for "unknown" and the field may not be empty: without a read plate the commonest colour, blue,
 * is sent; `plateNo` already tells the platform that the plate is not known.
 */
export function plateColourCode(plate: VisitPlate): number {
  return plate.status === 'read' ? PLATE_COLOUR[plate.colour] : PLATE_COLOUR.blue;
}
