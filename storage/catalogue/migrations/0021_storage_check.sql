-- How far the rolling check of stored footage has come: the last segment that was looked at.
CREATE TABLE storage_check (
  log_id uuid PRIMARY KEY,
  camera_id text NOT NULL,
  segment int4 NOT NULL,
  -- segments and bytes of the present round, and when it began; the last whole round
  segments int8 NOT NULL,
  bytes int8 NOT NULL,
  began_at int8 NOT NULL,
  last_round_at int8
);

-- What checks found and nobody has repaired yet; looked at again, and good, it goes.
CREATE TABLE storage_finding (
  camera_id text NOT NULL,
  segment int4 NOT NULL,
  -- storage/archive/finding.ts
  kind text NOT NULL,
  doc jsonb NOT NULL,
  found_at int8 NOT NULL,
  PRIMARY KEY (camera_id, segment, kind)
);
