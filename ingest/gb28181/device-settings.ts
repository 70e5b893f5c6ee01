import type { Charset } from './charset.js';

/** What an operator may set for one device, where it does not behave as its edition says. Everything may be left out. */
export interface DeviceSettings {
  /** Whether the answer to its REGISTER carries Date and so sets its clock; else the server's own setting. */
  dateHeader?: boolean | undefined;
  /** Taken in place of what the device says in X-GB-Ver, like `2.0`. */
  gbVersion?: string | undefined;
  /** How texts for it are encoded; else by its edition. */
  charset?: Charset | undefined;
  /** The element that asks it for a key frame; else by its edition. */
  keyFrameCommand?: 'IFameCmd' | 'IFrameCmd' | undefined;
}

export type DeviceSettingsOf = (deviceId: string) => DeviceSettings;
