import { endOf, follows, type PlayableGop } from './playable-gop.js';

/** GOPs of one segment that a player fetches with one request. */
export interface Piece {
  gops: readonly PlayableGop[];
  /** capturedAt of its first picture, and the end of its last, Unix ms. */
  startedAt: number;
  endsAt: number;
  /** It does not go on where the piece before it ends. */
  discontinuity: boolean;
  /** What a decoder must know first; '' where that was not asked. */
  look: string;
}

/** A piece is begun anew after this; it ends with a GOP, so it may be longer by one. */
export const PIECE_MS = 4_000;

/** A GOP of a minute, the longest there is, becomes readable only when it is whole: before that nothing is known to have ended. */
const LAST_WORD_MS = 75_000;

export interface PieceOptions {
  /** The GOP behind the last one given, where the log has one. */
  next: PlayableGop | null;
  /**
   * Set where more GOPs may come: the wall clock, Unix ms. A last piece that may still grow is then held back, so that what a player was told
   * once never changes.
   */
  growingAt?: number;
  /** What a decoder must know first (InitSegment.look); pieces whose looks differ do not go on from one another. */
  lookOf?: (gop: PlayableGop) => string;
  pieceMs?: number;
}

/** Groups GOPs, given by position, into pieces. Pure; the same GOPs with more behind them give the same first pieces. */
export function cutIntoPieces(gops: readonly PlayableGop[], { next, growingAt, lookOf = () => '', pieceMs = PIECE_MS }: PieceOptions): Piece[] {
  const pieces: Piece[] = [];
  let held: PlayableGop[] = [];
  let discontinuity = false;
  const close = (after: PlayableGop | null): void => {
    const first = held[0];
    const last = held.at(-1);
    if (first && last) pieces.push({ gops: held, startedAt: first.startedAt, endsAt: endOf(last, after), discontinuity, look: lookOf(first) });
    held = [];
  };
  for (const gop of gops) {
    const first = held[0];
    const last = held.at(-1);
    if (first && last) {
      const broken = !follows(last, gop) || lookOf(last) !== lookOf(gop);
      if (broken || last.position.segment !== gop.position.segment || gop.startedAt - first.startedAt >= pieceMs) {
        close(gop);
        discontinuity = broken;
      }
    }
    held.push(gop);
  }
  const last = held.at(-1);
  if (last && (growingAt === undefined || growingAt - last.endedAt > LAST_WORD_MS)) close(next);
  return pieces;
}
