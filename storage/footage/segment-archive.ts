/** Names a segment. */
export interface SegmentName {
  cameraId: string;
  segment: number;
}

/** Where sealed segments lie beside, or instead of, the disk; the footage log knows no more of it. */
export interface SegmentArchive {
  /**
   * `length` bytes of a segment from `offset`; fewer only at its end.
   *
   * @throws BerthwatchError not-found (it is not in the archive), unavailable (the archive does not work now: try again),
   *   bad-input (the object is damaged)
   */
  read(segment: SegmentName, offset: number, length: number): Promise<Buffer>;
  /** Removes the objects of segments, and what uploads of them left. What is not there is no error. @throws BerthwatchError unavailable */
  remove(segments: readonly (SegmentName & { startedAt: number; uploadId: string | null })[]): Promise<void>;
}
