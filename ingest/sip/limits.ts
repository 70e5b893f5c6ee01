/** Bounds on what one SIP message may cost us. */
export interface SipLimits {
  /** Start line and header fields together, bytes. */
  maxHeaderBytes: number;
  /** Header fields, after unfolding. */
  maxHeaders: number;
  /** Body bytes. A catalogue of 10 000 items in one message is about 5 MB (GB/T 28181-2022 annex M sends it over TCP). */
  maxBodyBytes: number;
}

/** For peers that proved who they are. */
export const TRUSTED_LIMITS: SipLimits = { maxHeaderBytes: 65_536, maxHeaders: 256, maxBodyBytes: 8 * 1024 * 1024 };
/** For everybody else: no honest REGISTER comes near. */
export const STRANGER_LIMITS: SipLimits = { maxHeaderBytes: 65_536, maxHeaders: 256, maxBodyBytes: 65_536 };
