/** RFC 3261 17.1.1.1, table 4; milliseconds. */
export interface SipTimers {
  /** Estimated round trip. */
  t1: number;
  /** Longest pause between retransmissions of a request other than INVITE, and of responses to INVITE. */
  t2: number;
  /** Longest life of a message in the network. */
  t4: number;
}

export const RFC_TIMERS: SipTimers = { t1: 500, t2: 4000, t4: 5000 };
