import { beijingIso } from '../../base/beijing-time.js';
import type { Piece } from './pieces.js';

export interface PlaylistOptions {
  /** No piece will be added: VOD. Else EVENT: players ask again and find more at the end. */
  ended: boolean;
  /** Where a piece is fetched. */
  pieceUri: (piece: Piece) => string;
  /** Where the initialisation segment for a piece is fetched. */
  initUri: (piece: Piece) => string;
}

/** Target durations of playlists that grow: it must not change while one is played (RFC 8216, clause 6.2.1), so few values, with room. */
const GROWING_TARGETS = [8, 16, 32, 64, 128];

/**
 * A media playlist (RFC 8216) of fragmented MP4. `EXT-X-PROGRAM-DATE-TIME` stands before each stretch without a break; durations
 * have whole milliseconds, so that wall clock times in between are exact too. Pure.
 */
export function writePlaylist(pieces: readonly Piece[], { ended, pieceUri, initUri }: PlaylistOptions): string {
  const longest = pieces.reduce((most, piece) => Math.max(most, piece.endsAt - piece.startedAt), 1_000);
  const target = Math.ceil(longest / 1000);
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${ended ? target : (GROWING_TARGETS.find((value) => value >= target) ?? target)}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    `#EXT-X-PLAYLIST-TYPE:${ended ? 'VOD' : 'EVENT'}`,
    '#EXT-X-INDEPENDENT-SEGMENTS',
  ];
  for (const [i, piece] of pieces.entries()) {
    if (i > 0 && piece.discontinuity) lines.push('#EXT-X-DISCONTINUITY');
    // Behind a gap the same one serves; some players complain of a second like it.
    if (looks(piece) !== looks(pieces[i - 1])) lines.push(`#EXT-X-MAP:URI="${initUri(piece)}"`);
    if (i === 0 || piece.discontinuity) lines.push(`#EXT-X-PROGRAM-DATE-TIME:${beijingIso(piece.startedAt)}+08:00`);
    lines.push(`#EXTINF:${((piece.endsAt - piece.startedAt) / 1000).toFixed(3)},`, pieceUri(piece));
  }
  if (ended) lines.push('#EXT-X-ENDLIST');
  return `${lines.join('\n')}\n`;
}

/** What an initialisation segment says. */
function looks(piece: Piece | undefined): string {
  const gop = piece?.gops[0];
  return gop ? `${gop.codec} ${gop.width}x${gop.height} ${piece.look}` : '';
}
