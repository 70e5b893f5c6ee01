import type { Visit } from '../../parking/model/visit.js';

/** A visit for tests: a blue plate, read well, in the second berth of camera `cam`. */
export function sampleVisit(enteredAt: number, leftAt: number | null = null): Visit {
  const uid = '3702000001A00220260301090000000';
  return {
    id: uid,
    uid,
    cameraId: 'cam',
    berthId: 'b2',
    plate: { status: 'read', text: '鲁B12345', colour: 'blue', confidence: 0.98 },
    vehicleType: 'small',
    bodyColour: 'white',
    enteredAt,
    leftAt,
    presentAtStart: false,
    confidence: 0.9,
  };
}
