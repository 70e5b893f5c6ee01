-- Alarms that devices reported (GB/T 28181 9.4). Times are Unix milliseconds.
CREATE TABLE device_alarm (
  id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  device_id text NOT NULL,
  -- The alarm input, camera or device that it comes from.
  source_id text NOT NULL,
  priority int2,
  method int2,
  type int4,
  event_type int2,
  -- By the device's clock; null where it names none.
  alarm_at int8,
  received_at int8 NOT NULL,
  description text,
  longitude float8,
  latitude float8,
  -- When somebody reset it at the device.
  reset_at int8
);
CREATE INDEX device_alarm_by_device ON device_alarm (device_id, id);
CREATE INDEX device_alarm_by_time ON device_alarm (received_at);
-- A device that reports an alarm again, also after a restart of ours, reports the same one.
CREATE UNIQUE INDEX device_alarm_once ON device_alarm (device_id, source_id, alarm_at, coalesce(method, 0), coalesce(type, 0), coalesce(event_type, 0)) WHERE alarm_at IS NOT NULL;
