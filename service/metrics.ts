import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** All Prometheus metrics of the service, `berthwatch_…`. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    unitsReceived: new Counter({ name: 'berthwatch_access_units_total', help: 'Coded pictures received', labelNames: ['camera'], registers }),
    bytesReceived: new Counter({ name: 'berthwatch_access_unit_bytes_total', help: 'Bytes of coded pictures received', labelNames: ['camera'], registers }),
    mediaEvents: new Counter({ name: 'berthwatch_media_events_total', help: 'Loss, damage, strangers and other media events', labelNames: ['camera', 'event'], registers }),
    sessions: new Counter({ name: 'berthwatch_sessions_total', help: 'Media sessions by how they ended', labelNames: ['camera', 'outcome'], registers }),
    sharedMedia: new Gauge({ name: 'berthwatch_shared_media', help: 'The shared media port since it was opened: streams, connections, and what belonged to nobody', labelNames: ['what'], registers }),
    strangerRequests: new Gauge({ name: 'berthwatch_stranger_requests', help: 'SIP requests for calls that were not the sender’s, since the start', registers }),
    gopsAnalysed: new Counter({ name: 'berthwatch_gops_analysed_total', help: 'GOPs analysed', labelNames: ['camera'], registers }),
    gopsPassed: new Counter({ name: 'berthwatch_gops_passed_total', help: 'GOPs not analysed because they were captured outside the time windows of their camera', labelNames: ['camera'], registers }),
    detailFrames: new Counter({ name: 'berthwatch_detail_frames_total', help: 'Pictures between key frames that were analysed because something changed', labelNames: ['camera'], registers }),
    analysisLag: new Gauge({ name: 'berthwatch_analysis_lag_seconds', help: 'Age of the last analysed picture', labelNames: ['camera'], registers }),
    events: new Counter({ name: 'berthwatch_parking_events_total', help: 'Parking events', labelNames: ['type'], registers }),
    evidenceSeconds: new Histogram({ name: 'berthwatch_evidence_seconds', help: 'Time to make the pictures of one event', buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10], registers }),
    evidencePictures: new Counter({ name: 'berthwatch_evidence_pictures_total', help: 'Evidence pictures made', labelNames: ['kind'], registers }),
    deliveries: new Counter({ name: 'berthwatch_deliveries_total', help: 'Attempts to deliver a message', labelNames: ['platform', 'kind', 'outcome'], registers }),
    outboxPending: new Gauge({ name: 'berthwatch_outbox_pending', help: 'Messages that wait for delivery', labelNames: ['platform'], registers }),
    devicesOnline: new Gauge({ name: 'berthwatch_devices_online', help: 'Registered GB/T 28181 devices', registers }),
    deviceAlarms: new Counter({ name: 'berthwatch_device_alarms_total', help: 'Alarms that GB/T 28181 devices reported', labelNames: ['method'], registers }),
    keyFramesAsked: new Counter({ name: 'berthwatch_key_frames_asked_total', help: 'Key frames asked of cameras with long GOPs', labelNames: ['camera'], registers }),
    soundKept: new Gauge({ name: 'berthwatch_footage_sound_units', help: 'Pieces of sound taken into the footage since the start', labelNames: ['camera'], registers }),
    soundDropped: new Gauge({ name: 'berthwatch_footage_sound_dropped_units', help: 'Pieces of sound left out since the start: late, twice, from the future, or of a kind that is not kept', labelNames: ['camera'], registers }),
    diskFree: new Gauge({ name: 'berthwatch_footage_disk_free_bytes', help: 'Free bytes on the disk of the footage', registers }),
    diskTotal: new Gauge({ name: 'berthwatch_footage_disk_bytes', help: 'Size of the disk of the footage', registers }),
    diskDaysLeft: new Gauge({ name: 'berthwatch_footage_days_left', help: 'Days until the disk or quota is full at the present rates; +Inf: not within a year, NaN: not known yet', registers }),
    footageBytes: new Gauge({ name: 'berthwatch_footage_bytes', help: 'Footage on the disk', labelNames: ['camera'], registers }),
    footageRate: new Gauge({ name: 'berthwatch_footage_bytes_per_day', help: 'Footage recorded a day at the rate of the last hour', labelNames: ['camera'], registers }),
    footageDropped: new Gauge({ name: 'berthwatch_footage_dropped_segments', help: 'Segments deleted before their time since the start', registers }),
    archiveBacklogSegments: new Gauge({ name: 'berthwatch_archive_backlog_segments', help: 'Sealed segments that are only on the disk and wait for the archive', registers }),
    archiveBacklogBytes: new Gauge({ name: 'berthwatch_archive_backlog_bytes', help: 'Bytes of segments that wait for the archive', registers }),
    archiveOldest: new Gauge({ name: 'berthwatch_archive_backlog_age_seconds', help: 'Age of the oldest footage that is only on the disk; 0 where nothing waits', registers }),
    archiveUploaded: new Gauge({ name: 'berthwatch_archive_uploaded_bytes', help: 'Bytes archived since the start', registers }),
    archiveRate: new Gauge({ name: 'berthwatch_archive_bytes_per_second', help: 'Rate of uploads in the last minute', registers }),
    archiveUp: new Gauge({ name: 'berthwatch_archive_up', help: '1 where the archive can be used', registers }),
    archiveWaitingRemovals: new Gauge({ name: 'berthwatch_archive_waiting_removals', help: 'Objects of removed footage that wait for the archive', registers }),
    storageFindings: new Gauge({ name: 'berthwatch_storage_findings', help: 'Places where stored footage is not as the catalogue says', registers }),
    storageChecked: new Gauge({ name: 'berthwatch_storage_checked_bytes', help: 'Bytes that the rolling check has looked at in its present round', registers }),
    clockOffset: new Gauge({ name: 'berthwatch_clock_offset_seconds', help: 'What must be added to the host’s clock to be right, as time servers say', registers }),
    clockDelay: new Gauge({ name: 'berthwatch_clock_round_trip_seconds', help: 'Round trip to the time server that is believed', registers }),
    problems: new Gauge({ name: 'berthwatch_problems', help: 'Problems shown on the page', registers }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
