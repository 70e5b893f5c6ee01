-- Sites, analysis, visits, evidence and outbox. Times are Unix milliseconds.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE lot (
  code text PRIMARY KEY,
  doc jsonb NOT NULL
);

CREATE TABLE camera (
  id text PRIMARY KEY,
  lot_code text NOT NULL REFERENCES lot (code),
  doc jsonb NOT NULL
);

CREATE TABLE berth (
  id text PRIMARY KEY,
  camera_id text NOT NULL REFERENCES camera (id),
  lot_code text NOT NULL REFERENCES lot (code),
  number text NOT NULL,
  UNIQUE (lot_code, number)
);

-- How far each camera's footage has been analysed, with everything that the next step needs.
CREATE TABLE analysis (
  camera_id text PRIMARY KEY REFERENCES camera (id),
  segment int8 NOT NULL,
  gop int8 NOT NULL,
  -- Captured time of the last frame that was reduced.
  analysed_to int8 NOT NULL,
  state jsonb NOT NULL,
  updated_at int8 NOT NULL
);

CREATE TABLE visit (
  uid text PRIMARY KEY CHECK (length(uid) <= 60),
  camera_id text NOT NULL REFERENCES camera (id),
  berth_id text NOT NULL REFERENCES berth (id),
  lot_code text NOT NULL REFERENCES lot (code),
  entered_at int8 NOT NULL,
  left_at int8 CHECK (left_at >= entered_at),
  plate_status text NOT NULL CHECK (plate_status IN ('read', 'none', 'unread')),
  plate_text text,
  -- Number of corrections so far.
  revision int4 NOT NULL DEFAULT 0,
  fee_fen int8,
  doc jsonb NOT NULL,
  -- Promise 3: the visits of a berth never overlap. A visit may begin in the millisecond in which the one before ended.
  CONSTRAINT visit_no_overlap EXCLUDE USING gist (berth_id WITH =, int8range(entered_at, left_at, '[)') WITH &&)
);
CREATE INDEX visit_by_lot_time ON visit (lot_code, entered_at);
CREATE INDEX visit_open ON visit (berth_id) WHERE left_at IS NULL;

CREATE TABLE evidence_job (
  -- <uid>/<enter|leave|correction-n>
  id text PRIMARY KEY,
  visit_uid text NOT NULL REFERENCES visit (uid),
  camera_id text NOT NULL REFERENCES camera (id),
  event jsonb NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
  attempts int4 NOT NULL DEFAULT 0,
  next_attempt_at int8 NOT NULL,
  last_error text,
  created_at int8 NOT NULL
);
CREATE INDEX evidence_job_due ON evidence_job (next_attempt_at) WHERE state = 'pending';

CREATE TABLE evidence (
  picture_id text PRIMARY KEY CHECK (length(picture_id) <= 60),
  visit_uid text NOT NULL REFERENCES visit (uid),
  job_id text NOT NULL REFERENCES evidence_job (id),
  kind text NOT NULL,
  role text NOT NULL,
  object_key text NOT NULL,
  sha256 text NOT NULL,
  bytes int8 NOT NULL,
  width int4 NOT NULL,
  height int4 NOT NULL,
  taken_at int8 NOT NULL
);
CREATE INDEX evidence_by_visit ON evidence (visit_uid);

CREATE TABLE outbox (
  id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  platform text NOT NULL,
  -- Names the message for ever: putting it in twice is a no-op.
  message_key text NOT NULL,
  -- Keys of messages that the platform must have before this one.
  requires text[] NOT NULL DEFAULT '{}',
  kind text NOT NULL,
  visit_uid text,
  message jsonb NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered')),
  -- Attempts started, counted before anything is sent: after a crash the next one is a retransmission.
  attempts int4 NOT NULL DEFAULT 0,
  refusals int4 NOT NULL DEFAULT 0,
  not_before int8 NOT NULL DEFAULT 0,
  created_at int8 NOT NULL,
  first_attempt_at int8,
  last_attempt_at int8,
  delivered_at int8,
  last_outcome text,
  UNIQUE (platform, message_key)
);
CREATE INDEX outbox_pending ON outbox (platform, id) WHERE state = 'pending';
