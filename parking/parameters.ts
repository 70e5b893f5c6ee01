/**
 * Every number that decides what a standing vehicle means, in one place. Times are seconds, lengths metres, shares 0 to 1.
 * None is a number of frames: key frames come every one to two seconds, refined frames five times a second.
 */
export interface ParkingParameters {
  /** A vehicle has entered when it stood still in the berth this long. Drop-offs at a green light end before. */
  enterSeconds: number;
  /** …and was seen at rest at least this often, */
  enterLooks: number;
  /** …of which the models really looked this often (a gated frame repeats the last look). */
  enterInferredLooks: number;
  /** The berth must be seen empty this long where the vehicle itself was seen moving out of it. */
  leaveMovedSeconds: number;
  /** The same where the vehicle is merely missing: a detector may overlook a dark car for a while. */
  leaveMissingSeconds: number;
  /** Looks by the models that must agree that the vehicle is not there. */
  leaveLooks: number;
  /** A newcomer that seems to stand where the occupant was last seen has to stand this long before it displaces it. */
  displaceSeconds: number;
  /** Nobody leaves a berth and is followed by another at the same place in less time. */
  swapSeconds: number;
  /** No usable picture for longer than this is an outage: nobody knows what happened meanwhile. */
  outageSeconds: number;
  /** An occupant unseen (hidden, missed or in an outage) for longer than this is compared again with what was parked. */
  recheckAfterSeconds: number;
  /** How long that comparison waits for plate readings before appearance decides. */
  recheckSeconds: number;
  /** Share of the vehicle's footprint in the berth from which it stands there, */
  standShare: number;
  /** …down to which it keeps standing there (its own hysteresis), */
  keepShare: number;
  /** …and at or below which the footprint no longer overlaps the berth. Not 0: a footprint is measured, not known. */
  clearShare: number;
  /** The same where the ground is only guessed from the vehicle's box. */
  clearShareGuessed: number;
  /** Share of the berth covered from which even a vehicle larger than the berth stands there. */
  coverShare: number;
  /** Largest wander of a resting vehicle's measured position, */
  restRadius: number;
  /** …the same in picture pixels, which counts for far berths, */
  restRadiusPixels: number;
  /** …and the finest wander that is told from rest when the measurements are quiet. */
  restFloor: number;
  /** From this many sightings on their scatter says what wander is; */
  restScatterLooks: number;
  /** …of fewer, what moves no faster than this within `restRadius` rests, metres a second. */
  restCreep: number;
  /** A wrong position or a miss of at most this long does not break a rest. */
  restGapSeconds: number;
  /** Share of the parked vehicle's box that nearer vehicles must cover so that missing it proves nothing. */
  hiddenShare: number;
  /** For this long after the occupant was last found, a berth that still looks taken by itself is not called empty. */
  blindSeconds: number;
  /** Looks at an end of a vehicle without any plate after which it is said to carry none, */
  bareLooks: number;
  /** …and how wide the vehicle must be in the picture for such a look to count. */
  bareWidthPixels: number;
  /** Vehicles below this detector score are not looked at. */
  minimumScore: number;
  /** Two footprints that share more than this of the smaller one are one vehicle seen twice. */
  sharedGround: number;
  /** A camera condition must last this long before it is told, and be gone this long before it is over. */
  healthSeconds: number;
  /** A plate that was read is replaced only by one with this many times its support where the two differ. */
  correctionRatio: number;
  /** More corrections of one visit are held back: a plate that keeps changing is not known. */
  maximumCorrections: number;
}

export const DEFAULT_PARAMETERS: ParkingParameters = {
  enterSeconds: 5,
  enterLooks: 3,
  enterInferredLooks: 2,
  leaveMovedSeconds: 3,
  leaveMissingSeconds: 12,
  leaveLooks: 2,
  displaceSeconds: 8,
  swapSeconds: 8,
  outageSeconds: 15,
  recheckAfterSeconds: 15,
  recheckSeconds: 30,
  standShare: 0.45,
  keepShare: 0.25,
  clearShare: 0.02,
  clearShareGuessed: 0.2,
  coverShare: 0.5,
  restRadius: 0.5,
  restRadiusPixels: 4,
  restFloor: 0.03,
  restScatterLooks: 4,
  restCreep: 0.2,
  restGapSeconds: 2.2,
  hiddenShare: 0.35,
  blindSeconds: 120,
  bareLooks: 8,
  bareWidthPixels: 200,
  minimumScore: 0.25,
  sharedGround: 0.5,
  healthSeconds: 4,
  correctionRatio: 2,
  maximumCorrections: 3,
};
