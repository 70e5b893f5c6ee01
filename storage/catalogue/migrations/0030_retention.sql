-- Retention: what must be kept, what lies on the disk, times that were recorded twice. All times are Unix milliseconds.

-- Footage that must not be deleted, because somebody disputes what it shows. Rows stay after their release: who held what is asked later.
CREATE TABLE footage_hold (
  id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  camera_id text NOT NULL,
  from_at int8 NOT NULL,
  -- null: without an end, as while the visit is not over
  to_at int8 CHECK (to_at > from_at),
  visit_uid text,
  reason text NOT NULL,
  held_by text NOT NULL,
  created_at int8 NOT NULL,
  -- the hold ends by itself; null: when somebody releases it
  until int8,
  released_at int8,
  released_by text
);
CREATE INDEX footage_hold_active ON footage_hold (camera_id) WHERE released_at IS NULL;
CREATE INDEX footage_hold_visit ON footage_hold (visit_uid) WHERE released_at IS NULL;

-- Files on the disk by camera and day (started_at / 86400000), kept by triggers: sums over millions of segments would be slow.
CREATE TABLE footage_usage (
  log_id uuid NOT NULL,
  camera_id text NOT NULL,
  day int4 NOT NULL,
  segments int8 NOT NULL,
  bytes int8 NOT NULL,
  PRIMARY KEY (log_id, camera_id, day)
) WITH (fillfactor = 70);

INSERT INTO footage_usage (log_id, camera_id, day, segments, bytes)
SELECT log_id, camera_id, started_at / 86400000, count(*), sum(bytes) FROM footage_segment WHERE state = 'sealed' AND place <> 'archive' GROUP BY 1, 2, 3;

CREATE FUNCTION footage_segment_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO footage_usage AS u (log_id, camera_id, day, segments, bytes)
  SELECT log_id, camera_id, started_at / 86400000, count(*), sum(bytes) FROM added WHERE state = 'sealed' AND place <> 'archive' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (log_id, camera_id, day) DO UPDATE SET segments = u.segments + excluded.segments, bytes = u.bytes + excluded.bytes;
  RETURN NULL;
END $$;

-- A hold covers the footage of its camera, with that of further streams (`camera~sub`). The lock makes a hold that is being made wait for
-- deletions under way, and the other way round: 0x62776832.
CREATE FUNCTION footage_guard_holds(camera text, started int8, ended int8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'footage of camera % from % to % is held and cannot be deleted', camera, started, ended USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'footage_hold';
END $$;

CREATE FUNCTION footage_segment_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM after_rows WHERE state = 'deleting') THEN
    PERFORM pg_advisory_xact_lock_shared(1651992626);
    PERFORM footage_guard_holds(a.camera_id, a.started_at, a.ended_at)
    FROM footage_hold h
    JOIN after_rows a ON h.camera_id = split_part(a.camera_id, '~', 1) AND h.from_at <= a.ended_at AND (h.to_at IS NULL OR h.to_at >= a.started_at)
    JOIN before_rows b ON b.camera_id = a.camera_id AND b.segment = a.segment
    WHERE h.released_at IS NULL AND a.state = 'deleting' AND b.state NOT IN ('deleting', 'lost') LIMIT 1;
  END IF;
  INSERT INTO footage_usage AS u (log_id, camera_id, day, segments, bytes)
  SELECT log_id, camera_id, day, sum(n), sum(size) FROM (
    SELECT log_id, camera_id, started_at / 86400000 AS day, 1 AS n, bytes AS size FROM after_rows WHERE state = 'sealed' AND place <> 'archive'
    UNION ALL
    SELECT log_id, camera_id, started_at / 86400000, -1, -bytes FROM before_rows WHERE state = 'sealed' AND place <> 'archive'
  ) change GROUP BY 1, 2, 3 HAVING sum(n) <> 0 OR sum(size) <> 0 ORDER BY 1, 2, 3
  ON CONFLICT (log_id, camera_id, day) DO UPDATE SET segments = u.segments + excluded.segments, bytes = u.bytes + excluded.bytes;
  RETURN NULL;
END $$;

CREATE FUNCTION footage_segment_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM before_rows WHERE state NOT IN ('deleting', 'lost')) THEN
    PERFORM pg_advisory_xact_lock_shared(1651992626);
    PERFORM footage_guard_holds(b.camera_id, b.started_at, b.ended_at)
    FROM footage_hold h
    JOIN before_rows b ON h.camera_id = split_part(b.camera_id, '~', 1) AND h.from_at <= b.ended_at AND (h.to_at IS NULL OR h.to_at >= b.started_at)
    WHERE h.released_at IS NULL AND b.state NOT IN ('deleting', 'lost') LIMIT 1;
  END IF;
  UPDATE footage_usage u SET segments = u.segments - gone.segments, bytes = u.bytes - gone.bytes
  FROM (SELECT log_id, camera_id, started_at / 86400000 AS day, count(*) AS segments, sum(bytes) AS bytes FROM before_rows WHERE state = 'sealed' AND place <> 'archive' GROUP BY 1, 2, 3) gone
  WHERE u.log_id = gone.log_id AND u.camera_id = gone.camera_id AND u.day = gone.day;
  RETURN NULL;
END $$;

CREATE TRIGGER footage_segment_inserted AFTER INSERT ON footage_segment REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION footage_segment_inserted();
CREATE TRIGGER footage_segment_updated AFTER UPDATE ON footage_segment REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION footage_segment_updated();
CREATE TRIGGER footage_segment_deleted AFTER DELETE ON footage_segment REFERENCING OLD TABLE AS before_rows FOR EACH STATEMENT EXECUTE FUNCTION footage_segment_deleted();

-- What to delete first, over all cameras.
CREATE INDEX footage_segment_oldest ON footage_segment (started_at);

-- Times that a camera's log holds twice, because the host's clock was set back: the segment begins before the footage ahead of it ends.
CREATE TABLE footage_overlap (
  camera_id text NOT NULL,
  segment int4 NOT NULL,
  -- capturedAt of the segment's first unit, and of the last unit ahead of it
  from_at int8 NOT NULL,
  to_at int8 NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (camera_id, segment),
  CHECK (to_at > from_at)
);
