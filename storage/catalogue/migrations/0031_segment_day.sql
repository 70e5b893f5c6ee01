-- A camera's segments by time without touching the table: its rows lie among those of all other cameras, one on each page, and are wide
-- with their GOP index. A day of a camera is then a few pages; so are the looks that a start and retention take at all segments.
CREATE INDEX footage_segment_day ON footage_segment (camera_id, started_at)
  INCLUDE (segment, log_id, state, place, ended_at, codec, width, height, gops, units, bytes, sha256, recovered);
DROP INDEX footage_segment_time;

-- The index alone answers only for pages that a vacuum has seen. By default that would be a fifth of millions of rows, days later.
ALTER TABLE footage_segment SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0.02);
