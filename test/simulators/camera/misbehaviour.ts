import { z } from 'zod';

/**
 * Everything in which real devices break the standard, each by a name. All are off by default: without them the camera is a
 * correct GB/T 28181-2016 device.
 */
export const misbehaviourSchema = z
  .strictObject({
    // Signalling
    /** 200 OK to INVITE carries no SDP. */
    noSdp: z.boolean().default(false),
    /** Answers within the INVITE dialog carry no To tag. */
    noToTag: z.boolean().default(false),
    /** Contact names 192.168.1.64, which nobody can reach. */
    privateContact: z.boolean().default(false),
    /** `c=` of the answer names 192.168.1.64. */
    privateSdpAddress: z.boolean().default(false),
    /** The camera chooses this SSRC (10 digits), says so in `y=` and uses it. */
    answerSsrc: z.string().regex(/^\d{10}$/).nullable().default(null),
    /** No `y=` in the answer. */
    noAnswerSsrc: z.boolean().default(false),
    /** RTP carries this SSRC, whatever the SDP says. */
    rtpSsrc: z.number().int().min(0).max(0xffffffff).nullable().default(null),
    /** INVITE is refused with this status. */
    inviteStatus: z.number().int().min(300).max(699).nullable().default(null),
    /** The first n final answers to INVITE are lost on the way. */
    loseInviteAnswers: z.number().int().min(0).default(0),
    /** Media starts with the 200, not with the ACK. */
    startBeforeAck: z.boolean().default(false),
    /** BYE of the platform is not answered and the media goes on. */
    ignoreBye: z.boolean().default(false),
    /** Media goes on when the platform's port is closed (ICMP), as firmware that never looks does. */
    ignoreIcmp: z.boolean().default(false),
    /** Every SIP message leaves twice. */
    duplicateSip: z.boolean().default(false),
    /** Refreshes repeat the last Authorization header word for word. */
    replayAuthorization: z.boolean().default(false),
    /** `close()` says no unregister. */
    noUnregister: z.boolean().default(false),
    /** Each catalog item comes twice. */
    duplicateCatalogItems: z.boolean().default(false),
    /** This many of the last catalog items never come although SumNum counts them. */
    missingCatalogItems: z.number().int().min(0).default(0),
    /** Each recording comes twice; the last n never come although SumNum counts them; times are written as firmware does. */
    duplicateRecordItems: z.boolean().default(false),
    missingRecordItems: z.number().int().min(0).default(0),
    sloppyRecordTimes: z.boolean().default(false),
    /** RecordInfo without a Type is not answered. */
    recordsNeedType: z.boolean().default(false),
    /** Commands are done, but the Response that the standard wants never comes. */
    noControlResponse: z.boolean().default(false),
    /** DeviceConfig is applied without a Response, and the device registers anew. */
    registersAfterConfig: z.boolean().default(false),
    /** ConfigDownload answers with one message a type. */
    oneConfigPerMessage: z.boolean().default(false),
    /** What BasicParam says of keepalives, whatever is true. */
    saysHeartBeatInterval: z.string().nullable().default(null),
    /** SUBSCRIBE is refused with this status. */
    subscribeStatus: z.number().int().min(300).max(699).nullable().default(null),
    /** Subscriptions are granted for so many seconds at most. */
    shortSubscriptionS: z.number().int().min(1).nullable().default(null),
    /** Refreshes of a subscription are answered 481. */
    forgetsSubscriptions: z.boolean().default(false),
    /** MediaStatus names this id in From. */
    mediaStatusFrom: z.string().nullable().default(null),
    /** A 2022 device that confirms snapshots and uploads nothing; or uploads what is no picture; or says ERROR. */
    snapshot: z.enum(['right', 'never-uploads', 'garbage', 'refuses', 'form']).default('right'),
    /** What INFO of a playback gets: an answer that knows no INFO, one that refuses in its body, or none. */
    info: z.enum(['right', 'unknown', 'refused', 'ignored']).default('right'),
    /** Playbacks run at normal speed whatever is asked for. */
    ignoresScale: z.boolean().default(false),
    /** REGISTER says its lifetime only as `;expires=` of Contact. */
    contactExpiresOnly: z.boolean().default(false),
    /** The challenge offers qop; the answer is the older form without. */
    ignoreQop: z.boolean().default(false),
    /** Authorization repeats `qop=auth`, but is computed in the older form, without nc and cnonce. */
    qopWithoutCount: z.boolean().default(false),
    /** The nonce count is written `nc=1`, and the digest made over that. */
    shortNonceCount: z.boolean().default(false),
    /** The client's nonce is empty: `cnonce=""`. */
    emptyCnonce: z.boolean().default(false),
    /** Authorization with `username=""`. */
    emptyUsername: z.boolean().default(false),
    /** MESSAGEs name the first channel's id in From, not the device's. */
    messagesFromChannel: z.boolean().default(false),
    /** Keepalives leave from another socket than everything else (UDP). */
    keepaliveFromOtherPort: z.boolean().default(false),
    /** A keepalive that is refused changes nothing: the device goes on and does not register anew. */
    ignoreRefusedKeepalives: z.boolean().default(false),
    /** So long after its first registration the device's SIP comes from another port (a NAT forgot it); it does not notice. */
    natRebindAfterMs: z.number().int().min(1).nullable().default(null),
    /** The first n INVITEs are refused with 486: a session of old still stands. */
    busyInvites: z.number().int().min(0).default(0),
    /** `m=video 0` in the answer; media come all the same. */
    answerPortZero: z.boolean().default(false),
    /** `y=` of the answer, word for word: `0`, nine digits, letters. */
    oddAnswerSsrc: z.string().nullable().default(null),
    /** Encoding name of the answer's rtpmap, e.g. `HIKVISION/90000`. */
    privateRtpmap: z.string().nullable().default(null),
    /** The answer lists this payload type alone, and RTP carries it. */
    answerPayloadType: z.number().int().min(0).max(127).nullable().default(null),
    /** One item a catalog message, whatever `catalog.itemsPerMessage` says. */
    oneCatalogItemPerMessage: z.boolean().default(false),
    /** Added to SumNum of the catalog. */
    sumNumOffset: z.number().int().default(0),
    /** The device's clock is wrong by so much: DeviceTime, and NTP of the sender reports. */
    deviceClockOffsetMs: z.number().int().default(0),
    // XML
    /** `<` and `&` stand raw in Name and Address. */
    unescapedXml: z.boolean().default(false),
    xmlNoProlog: z.boolean().default(false),
    /** Blank lines and blanks before the prolog. */
    xmlLeadingBlanks: z.boolean().default(false),
    /** Values stand between blanks and line breaks. */
    xmlSpacedValues: z.boolean().default(false),
    /** CmdType is an attribute of the root. */
    xmlCmdTypeAttribute: z.boolean().default(false),
    /** 65535, or nothing, where a small number belongs. */
    xmlOddIntegers: z.boolean().default(false),
    /** ParentID is a path: `device/group`. */
    xmlParentPath: z.boolean().default(false),
    /** The prolog names another character set than the bytes have. */
    xmlCharset: z.enum(['right', 'utf8-says-gb2312', 'gb2312-says-utf8', 'utf8-with-bom']).default('right'),
    // Program stream
    /** No program stream map at all. */
    noPsm: z.boolean().default(false),
    /** The program stream map declares this stream type (e.g. 0x1b for what is H.265). */
    psmStreamType: z.number().int().min(0).max(255).nullable().default(null),
    /** The program stream map comes only from the nth picture on. */
    psmAfterPictures: z.number().int().min(0).default(0),
    /** The CRC of the program stream map is wrong. */
    badPsmCrc: z.boolean().default(false),
    /** Video PES packets have length 0: they run to the next pack. */
    zeroPesLength: z.boolean().default(false),
    /** Start codes of pack, map and PES have four bytes. */
    fourByteStartCodes: z.boolean().default(false),
    /** The pack header is four bytes, directly followed by the PES (HIK, H.265). */
    truncatedPackHeader: z.boolean().default(false),
    /** Vendor data in private_stream_1 before each picture. */
    privateStream: z.boolean().default(false),
    /** A PES for each NAL unit, only the first with a PTS. */
    splitPes: z.boolean().default(false),
    /** Two pictures share one PES and one PTS. */
    gluedPictures: z.boolean().default(false),
    /** Added to PES_header_data_length of video. */
    pesHeaderLengthError: z.number().int().min(-2).max(2).default(0),
    /** The channel's audio is AAC (ADTS), declared as G.711. */
    aacAsG711: z.boolean().default(false),
    /** Parameter sets before every picture. */
    parameterSetsEverywhere: z.boolean().default(false),
    /** The first picture of a session is whatever comes next, not a key picture. */
    startMidGop: z.boolean().default(false),
    // RTP
    /** Packets are cut without regard to pictures: the end of one and the start of the next share a packet. */
    gluedPackets: z.boolean().default(false),
    /** When the marker bit is set. */
    marker: z.enum(['last', 'never', 'always']).default('last'),
    /** Packets carry a header extension, a CSRC and padding. */
    rtpExtras: z.boolean().default(false),
    /** A sender report arrives on the RTP port before the first packet. */
    rtcpFirst: z.boolean().default(false),
    /** Nothing but sender reports for so long, then RTP. */
    rtcpOnlyMs: z.number().int().min(0).default(0),
    /** RTP carries this payload type whatever the SDP says. */
    rtpPayloadType: z.number().int().min(0).max(127).nullable().default(null),
    /** RTP and PES timestamps stand still. */
    frozenTimestamps: z.boolean().default(false),
    /** RTP leaves from an odd port (UDP). */
    oddMediaPort: z.boolean().default(false),
    /** After n pictures the media come from another port: a NAT forgot the old one (UDP). */
    mediaRebindAfter: z.number().int().min(1).nullable().default(null),
    /** The payload is the elementary stream (RFC 6184, RFC 7798) in place of the program stream. */
    elementaryStream: z.boolean().default(false),
    /** The payload is an MPEG transport stream. */
    transportStream: z.boolean().default(false),
    /** UDP packets lost, swapped with a later one, or sent twice; in percent. */
    lossPercent: z.number().min(0).max(100).default(0),
    reorderPercent: z.number().min(0).max(100).default(0),
    duplicatePercent: z.number().min(0).max(100).default(0),
    /** The camera's crystal: media timestamps run this much too fast (negative: too slow), parts per million. */
    clockSkewPpm: z.number().min(-100_000).max(100_000).default(0),
    /** First RTP sequence number and timestamp; random without them. */
    sequenceStart: z.number().int().min(0).max(0xffff).nullable().default(null),
    timestampStart: z.number().int().min(0).max(0xffffffff).nullable().default(null),
    // TCP framing
    /** Percent of packets of which only the first part is written (a short write that the firmware ignored). */
    tcpShortWritePercent: z.number().min(0).max(100).default(0),
    /** Percent of packets before which random bytes are written. */
    tcpGarbagePercent: z.number().min(0).max(100).default(0),
    /** `$`, channel, length (RTSP interleaving) in place of RFC 4571. */
    dollarFraming: z.boolean().default(false),
    /** The connection begins with 256 bytes that are no RTP, as devices with a vendor's own protocol send. */
    ehomePreamble: z.boolean().default(false),
    /** The byte stream leaves in pieces of a few bytes. */
    tcpDribble: z.boolean().default(false),
    /** Seed of all randomness above; a run can be repeated with it. */
    seed: z.number().int().nullable().default(null),
  })
  .prefault({});

export type Misbehaviour = z.output<typeof misbehaviourSchema>;
