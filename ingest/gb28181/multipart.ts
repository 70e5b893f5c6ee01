/** A part of a multipart/form-data body that holds a file. */
export interface UploadedFile {
  name: string | null;
  bytes: Uint8Array;
}

const MAX_PARTS = 32;
const MAX_PART_HEADER = 4096;

/** The boundary in a Content-Type, null where it is not multipart. */
export function boundaryOf(contentType: string | undefined): string | null {
  const match = /^\s*multipart\/[\w.+-]+\s*;.*?boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType ?? '');
  return match?.[1] ?? match?.[2] ?? null;
}

/** The `filename` of a Content-Disposition. */
export function fileNameOf(disposition: string | undefined): string | null {
  const match = /\bfilename\s*=\s*(?:"([^"]{0,256})"|([^\s;"]{1,256}))/i.exec(disposition ?? '');
  return (match?.[1] ?? match?.[2]) || null;
}

/** The first part that `accepts` says yes to (RFC 7578, RFC 2046 5.1). Linear in the length; null where there is none. */
export function filePart(body: Uint8Array, boundary: string, accepts: (bytes: Uint8Array) => boolean): UploadedFile | null {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const mark = Buffer.from(`--${boundary}`, 'latin1');
  let at = bytes.indexOf(mark);
  for (let part = 0; at >= 0 && part < MAX_PARTS; part++) {
    const begin = at + mark.length;
    const next = bytes.indexOf(mark, begin);
    const end = next < 0 ? bytes.length : next;
    const header = bytes.subarray(begin, Math.min(end, begin + MAX_PART_HEADER)).toString('latin1');
    const blank = /\r?\n\r?\n/.exec(header);
    if (blank) {
      let last = end;
      // The line end before a boundary belongs to it.
      if (next >= 0 && bytes[last - 1] === 0x0a) last -= bytes[last - 2] === 0x0d ? 2 : 1;
      const content = bytes.subarray(begin + blank.index + blank[0].length, Math.max(begin + blank.index + blank[0].length, last));
      if (accepts(content)) {
        const disposition = /^content-disposition:(.*)$/im.exec(header.slice(0, blank.index))?.[1];
        return { name: fileNameOf(disposition), bytes: content };
      }
    }
    at = next;
  }
  return null;
}
