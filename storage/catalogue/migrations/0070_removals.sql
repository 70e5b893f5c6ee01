-- Segments that are being removed leave `footage_segment` at once and stand here until their files and objects are gone. A mark in the
-- wide row would write the row and each of its index entries anew, many times the work of the removal itself.
CREATE TABLE footage_removal (
  camera_id text NOT NULL,
  segment int4 NOT NULL,
  log_id uuid NOT NULL,
  started_at int8 NOT NULL,
  ended_at int8 NOT NULL,
  bytes int8 NOT NULL,
  -- where its bytes were when it was marked: 0020_archive.sql
  place text NOT NULL,
  PRIMARY KEY (camera_id, segment)
);

INSERT INTO footage_removal (camera_id, segment, log_id, started_at, ended_at, bytes, place)
SELECT camera_id, segment, log_id, started_at, ended_at, bytes, place FROM footage_segment WHERE state = 'deleting';
DELETE FROM footage_segment WHERE state = 'deleting';

DROP INDEX footage_segment_deleting;
ALTER TABLE footage_segment DROP CONSTRAINT footage_segment_state_check;
-- Not looked at again for millions of rows: those that it forbids went two lines above.
ALTER TABLE footage_segment ADD CONSTRAINT footage_segment_state_check CHECK (state IN ('sealed', 'lost')) NOT VALID;

-- As in 0030_retention.sql, where an update could be a mark.
CREATE OR REPLACE FUNCTION footage_segment_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO footage_usage AS u (log_id, camera_id, day, segments, bytes)
  SELECT log_id, camera_id, day, sum(n), sum(size) FROM (
    SELECT log_id, camera_id, started_at / 86400000 AS day, 1 AS n, bytes AS size FROM after_rows WHERE state = 'sealed' AND place <> 'archive'
    UNION ALL
    SELECT log_id, camera_id, started_at / 86400000, -1, -bytes FROM before_rows WHERE state = 'sealed' AND place <> 'archive'
  ) change GROUP BY 1, 2, 3 HAVING sum(n) <> 0 OR sum(size) <> 0 ORDER BY 1, 2, 3
  ON CONFLICT (log_id, camera_id, day) DO UPDATE SET segments = u.segments + excluded.segments, bytes = u.bytes + excluded.bytes;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION footage_segment_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM before_rows WHERE state <> 'lost') THEN
    PERFORM pg_advisory_xact_lock_shared(1651992626);
    PERFORM footage_guard_holds(b.camera_id, b.started_at, b.ended_at)
    FROM footage_hold h
    JOIN before_rows b ON h.camera_id = split_part(b.camera_id, '~', 1) AND h.from_at <= b.ended_at AND (h.to_at IS NULL OR h.to_at >= b.started_at)
    WHERE h.released_at IS NULL AND b.state <> 'lost' LIMIT 1;
  END IF;
  UPDATE footage_usage u SET segments = u.segments - gone.segments, bytes = u.bytes - gone.bytes
  FROM (SELECT log_id, camera_id, started_at / 86400000 AS day, count(*) AS segments, sum(bytes) AS bytes FROM before_rows WHERE state = 'sealed' AND place <> 'archive' GROUP BY 1, 2, 3) gone
  WHERE u.log_id = gone.log_id AND u.camera_id = gone.camera_id AND u.day = gone.day;
  RETURN NULL;
END $$;
