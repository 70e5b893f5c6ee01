-- Where the bytes of a segment are, as far as that was confirmed:
-- local: on the disk of its log · both: in the archive as well · archive: in the archive alone
ALTER TABLE footage_segment ADD COLUMN place text NOT NULL DEFAULT 'local' CHECK (place IN ('local', 'both', 'archive'));

-- What the archive has still to take, and what may leave the disk; old footage, which is only in the archive, is not in it.
CREATE INDEX footage_segment_place ON footage_segment (log_id, place, started_at) WHERE state = 'sealed' AND place <> 'archive';

-- Uploads that were begun and are not confirmed: from before the first byte until the row of the segment says `both`, so that
-- no object can be in the archive of which the catalogue knows nothing.
CREATE TABLE archive_upload (
  camera_id text NOT NULL,
  segment int4 NOT NULL,
  begun_at int8 NOT NULL,
  -- of a multipart upload that can be continued
  upload_id text,
  attempts int4 NOT NULL DEFAULT 0,
  next_attempt_at int8 NOT NULL DEFAULT 0,
  last_error text,
  PRIMARY KEY (camera_id, segment)
);

-- Which bucket or folder is this catalogue's archive: the same id stands in an object there.
CREATE TABLE archive_store (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  id uuid NOT NULL,
  created_at int8 NOT NULL
);
