-- The footage log's catalogue. All times are Unix milliseconds.

-- One row a footage folder that this catalogue knows; the same id stands in the folder's `meta` file.
CREATE TABLE footage_log (
  id uuid PRIMARY KEY,
  -- `default`, or the node's name in a cluster
  name text NOT NULL UNIQUE,
  created_at int8 NOT NULL
);

-- Segment numbers of a camera never fall, not even after retention has deleted everything there was.
CREATE TABLE footage_camera (
  camera_id text PRIMARY KEY,
  last_segment int4 NOT NULL CHECK (last_segment >= 0)
);

CREATE TABLE footage_segment (
  camera_id text NOT NULL REFERENCES footage_camera,
  segment int4 NOT NULL CHECK (segment > 0),
  log_id uuid NOT NULL REFERENCES footage_log,
  -- sealed: the file is complete · deleting: being removed, finished at the next start · lost: its file is gone
  state text NOT NULL CHECK (state IN ('sealed', 'deleting', 'lost')),
  -- capturedAt of the first and of the last unit
  started_at int8 NOT NULL,
  ended_at int8 NOT NULL,
  codec text NOT NULL CHECK (codec IN ('h264', 'h265')),
  width int4 NOT NULL,
  height int4 NOT NULL,
  gops int4 NOT NULL CHECK (gops > 0),
  units int4 NOT NULL,
  bytes int8 NOT NULL,
  sha256 bytea NOT NULL CHECK (length(sha256) = 32),
  -- storage/footage/gop-index.ts
  gop_index bytea NOT NULL,
  -- true: sealed by recovery after a crash, not by its writer
  recovered boolean NOT NULL,
  PRIMARY KEY (camera_id, segment),
  CHECK (ended_at >= started_at)
);

CREATE INDEX footage_segment_time ON footage_segment (camera_id, started_at);
-- The few that recovery must look at.
CREATE INDEX footage_segment_deleting ON footage_segment (log_id) WHERE state = 'deleting';

-- Times without footage between two segments.
CREATE TABLE footage_gap (
  camera_id text NOT NULL REFERENCES footage_camera,
  from_at int8 NOT NULL,
  to_at int8 NOT NULL,
  -- why the segment after it began: storage/footage/segment-header.ts
  reason text NOT NULL,
  PRIMARY KEY (camera_id, from_at),
  CHECK (to_at > from_at)
);
