import type { DialogStore, OpenDialog } from '../../ingest/gb28181/open-dialogs.js';
import type { DialogState } from '../../ingest/sip/dialog.js';
import type { Database } from '../../storage/catalogue/database.js';

/** Open calls to cameras in the catalogue. */
export class DialogRecords implements DialogStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async load(): Promise<OpenDialog[]> {
    const { rows } = await this.#database.query<{ device_id: string; channel_id: string; ssrc: string; media_port: number; opened_at: number; dialog: DialogState }>(
      'SELECT device_id, channel_id, ssrc, media_port, opened_at, dialog FROM gb_open_dialog ORDER BY opened_at',
    );
    return rows.map((row) => ({ deviceId: row.device_id, channelId: row.channel_id, ssrc: row.ssrc, mediaPort: row.media_port, openedAt: row.opened_at, dialog: row.dialog }));
  }

  async put(open: OpenDialog): Promise<void> {
    await this.#database.query(
      `INSERT INTO gb_open_dialog (call_id, device_id, channel_id, ssrc, media_port, opened_at, dialog) VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (call_id) DO UPDATE SET dialog = excluded.dialog`,
      [open.dialog.callId, open.deviceId, open.channelId, open.ssrc, open.mediaPort, open.openedAt, JSON.stringify(open.dialog)],
    );
  }

  async remove(callId: string): Promise<void> {
    await this.#database.query('DELETE FROM gb_open_dialog WHERE call_id = $1', [callId]);
  }
}
