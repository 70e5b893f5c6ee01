-- Exports of footage and visits. Times are Unix milliseconds.

CREATE TABLE footage_export (
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('clip', 'visit')),
  -- what was asked for: service/playback/exports/export-jobs.ts
  request jsonb NOT NULL,
  requested_by text NOT NULL,
  -- how they came: token, this machine, an address with a ticket, the command line
  via text NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
  error text,
  file text,
  bytes int8,
  sha256 text,
  -- what is said of the result (ClipFacts, or the manifest of a visit)
  facts jsonb,
  created_at int8 NOT NULL,
  finished_at int8,
  -- when the file is deleted
  expires_at int8
);
CREATE INDEX footage_export_open ON footage_export (created_at) WHERE state IN ('waiting', 'running');
CREATE INDEX footage_export_time ON footage_export (created_at);

-- Who took what out, and when: rows are only ever added.
CREATE TABLE footage_export_audit (
  id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at int8 NOT NULL,
  who text NOT NULL,
  via text NOT NULL,
  -- requested, made, failed, cancelled, downloaded, deleted
  event text NOT NULL,
  what jsonb NOT NULL,
  export_id uuid,
  bytes int8,
  sha256 text
);
CREATE INDEX footage_export_audit_time ON footage_export_audit (at);
