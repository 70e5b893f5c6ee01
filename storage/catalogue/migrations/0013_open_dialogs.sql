-- Calls to cameras that have not been ended: after a crash their cameras are told to, or they would send for ever.
CREATE TABLE gb_open_dialog (
  call_id text PRIMARY KEY,
  device_id text NOT NULL,
  channel_id text NOT NULL,
  ssrc text NOT NULL,
  media_port integer NOT NULL,
  -- Unix ms.
  opened_at bigint NOT NULL,
  -- From, To, Request-URI, routes and CSeq of the dialog (ingest/sip/dialog.ts, DialogState).
  dialog jsonb NOT NULL
);
