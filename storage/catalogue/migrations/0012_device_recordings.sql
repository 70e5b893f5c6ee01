-- What cameras recorded by themselves and we fetched: wishes, their progress, and the objects that came of them.
CREATE TABLE device_recording (
  id uuid PRIMARY KEY,
  camera_id text NOT NULL,
  -- Unix ms: what was asked for.
  from_at bigint NOT NULL,
  to_at bigint NOT NULL CHECK (to_at > from_at),
  -- Times normal speed that was asked for.
  speed double precision NOT NULL,
  state text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  attempts integer NOT NULL DEFAULT 0,
  created_at bigint NOT NULL,
  finished_at bigint,
  -- Why it waits, failed, or is not complete, for people.
  note text,
  -- Of the pictures that came; null while none did.
  first_at bigint,
  last_at bigint,
  codec text,
  bytes bigint NOT NULL DEFAULT 0,
  -- What the device said the download is long; null where it did not.
  announced_bytes bigint,
  -- Whether pictures reach to the end of what was asked for.
  complete boolean,
  -- Parts of it that the device has not recorded: [{"from": ms, "to": ms}].
  gaps jsonb NOT NULL DEFAULT '[]',
  object_key text,
  sha256 text
);
CREATE INDEX device_recording_camera ON device_recording (camera_id, from_at);
-- One wish for a time at a time; what failed or was given up may be asked for again.
CREATE UNIQUE INDEX device_recording_once ON device_recording (camera_id, from_at, to_at) WHERE state IN ('queued', 'running', 'done');
