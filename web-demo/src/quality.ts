// Live quality of a call out of RTCPeerConnection.getStats(). Pure: reports in, figures out.

/** The counters of one moment. */
export interface Sample {
  /** Milliseconds, any epoch. */
  at: number;
  packetsReceived: number;
  packetsLost: number;
  packetsSent: number;
  /** Seconds. */
  jitter?: number;
  /** Seconds. */
  roundTrip?: number;
  /** Share 0..1 of our packets that the gateway missed, by its last RTCP report. */
  lossOut?: number;
  codecIn?: string;
  codecOut?: string;
}

/** Our own leg, as this browser measures it. */
export interface Quality {
  /** Percent of the packets meant for us that were lost since the sample before. */
  lossIn: number;
  /** Percent of ours that the gateway missed; undefined before its first report. */
  lossOut?: number;
  jitterMs?: number;
  roundTripMs?: number;
  codecIn?: string;
  codecOut?: string;
  /** Estimated mean opinion score of this leg alone, 1 to 4.5. */
  mos: number;
  /** Nothing arrived since the sample before. */
  silent: boolean;
}

/** The other leg of the call, as the gateway measures it. */
export interface FarQuality {
  codec: string;
  /** Work of the gateway between the legs: "relay", "transcode", "application". */
  mode: string;
  /** Packets since the call began. */
  received: number;
  lost: number;
  /** Percent of their packets that the gateway missed since the answer before. */
  lossIn?: number;
  /** Percent of what the gateway sent that they missed. */
  lossOut?: number;
  jitterMs?: number;
  roundTripMs?: number;
  /** Quality of that leg alone. */
  mos?: number;
  /** They put us on hold. */
  held: boolean;
  /** They lost their connection, and may come back. */
  away: boolean;
}

/** Quality of the whole call: the worse of both directions. */
export interface Verdict {
  mos: number;
  grade: "good" | "fair" | "poor";
}

type Stat = Record<string, unknown> & { type: string };

export function readSample(report: Iterable<Stat>, at: number): Sample {
  const codecs = new Map<string, string>();
  const stats = [...report];
  for (const stat of stats) if (stat.type === "codec") codecs.set(String(stat.id), codecName(stat));
  const sample: Sample = { at, packetsReceived: 0, packetsLost: 0, packetsSent: 0 };
  let checkRoundTrip: number | undefined;
  for (const stat of stats) {
    const audio = stat.kind === undefined || stat.kind === "audio";
    if (stat.type === "inbound-rtp" && audio) {
      sample.packetsReceived += count(stat.packetsReceived);
      sample.packetsLost += count(stat.packetsLost);
      sample.jitter = numeric(stat.jitter) ?? sample.jitter;
      sample.codecIn = codecs.get(String(stat.codecId)) ?? sample.codecIn;
    } else if (stat.type === "outbound-rtp" && audio) {
      sample.packetsSent += count(stat.packetsSent);
      sample.codecOut = codecs.get(String(stat.codecId)) ?? sample.codecOut;
    } else if (stat.type === "remote-inbound-rtp" && audio) {
      sample.lossOut = numeric(stat.fractionLost) ?? sample.lossOut;
      const measured = numeric(stat.roundTripTime);
      if (measured) sample.roundTrip = measured;
    } else if (stat.type === "candidate-pair" && (stat.nominated || stat.selected)) {
      checkRoundTrip = numeric(stat.currentRoundTripTime) ?? checkRoundTrip;
    }
  }
  sample.roundTrip ??= checkRoundTrip;
  return sample;
}

export function qualityBetween(before: Sample | undefined, now: Sample): Quality {
  const received = now.packetsReceived - (before?.packetsReceived ?? 0);
  const lost = Math.max(0, now.packetsLost - (before?.packetsLost ?? 0));
  const lossIn = received + lost > 0 ? (100 * lost) / (received + lost) : 0;
  const lossOut = now.lossOut === undefined ? undefined : 100 * now.lossOut;
  const jitterMs = now.jitter === undefined ? undefined : now.jitter * 1000;
  const roundTripMs = now.roundTrip === undefined ? undefined : now.roundTrip * 1000;
  return {
    lossIn,
    lossOut,
    jitterMs,
    roundTripMs,
    codecIn: now.codecIn,
    codecOut: now.codecOut,
    mos: meanOpinion(Math.max(lossIn, lossOut ?? 0), jitterMs ?? 0, roundTripMs ?? 0),
    silent: received <= 0,
  };
}

/** Both legs lie between the two ears: their losses and delays add up, in each direction. */
export function verdictOf(near: Quality, far: FarQuality | undefined): Verdict {
  const jitter = (near.jitterMs ?? 0) + (far?.jitterMs ?? 0);
  const roundTrip = (near.roundTripMs ?? 0) + (far?.roundTripMs ?? 0);
  const heardHere = lossOfBoth(near.lossIn, far?.lossIn ?? 0);
  const heardThere = lossOfBoth(near.lossOut ?? 0, far?.lossOut ?? 0);
  const mos = meanOpinion(Math.max(heardHere, heardThere), jitter, roundTrip);
  return { mos, grade: mos >= 4 ? "good" : mos >= 3.5 ? "fair" : "poor" };
}

/** Percent lost of what passes one leg and then the other. */
function lossOfBoth(first: number, second: number): number {
  return 100 - ((100 - first) * (100 - second)) / 100;
}

/**
 * Reads `GET /api/v1/calls/{Call-ID}/quality`: one entry a leg, the caller's first. `before` is an earlier answer, so that loss is
 * what was lost since.
 */
export function farQuality(answer: unknown, direction: "in" | "out", before?: FarQuality): FarQuality | undefined {
  const legs = (answer as { legs?: Record<string, unknown>[] } | null)?.legs;
  if (!Array.isArray(legs)) return undefined;
  const ours = legs.find((leg) => leg.role === (direction === "out" ? "caller" : "callee"));
  const far = legs.find((leg) => leg.role === (direction === "out" ? "callee" : "caller"));
  const mode = String((far ?? ours)?.mode ?? "");
  if (!far) {
    return mode === "application" ? { codec: "", mode, received: 0, lost: 0, held: false, away: false } : undefined;
  }
  const received = count(far.packets_received);
  const lost = count(far.lost);
  // Another party may have taken the place of the one before, and counts from zero.
  const base = before && before.received <= received ? before : { received: 0, lost: 0 };
  const came = received - base.received;
  const missed = Math.max(0, lost - base.lost);
  const lossIn = came + missed > 0 ? (100 * missed) / (came + missed) : undefined;
  const lossOut = numeric(far.loss_reported);
  const jitterMs = numeric(far.jitter_ms);
  const roundTripMs = numeric(far.round_trip_ms) || undefined;
  const codecs = [...new Set([far.codec_received, far.codec_sent].filter((name) => name && name !== "none"))];
  return {
    codec: codecs.join(" in, ") + (codecs.length > 1 ? " out" : ""),
    mode,
    received,
    lost,
    lossIn,
    lossOut,
    jitterMs,
    roundTripMs,
    mos: received ? meanOpinion(Math.max(lossIn ?? 0, lossOut ?? 0), jitterMs ?? 0, roundTripMs ?? 0) : undefined,
    held: far.held === true,
    away: far.away === true,
  };
}

/** ITU-T G.107 in its short form: delay and packet loss, for a codec with loss concealment. */
export function meanOpinion(lossPercent: number, jitterMs: number, roundTripMs: number): number {
  const delay = roundTripMs / 2 + 2 * jitterMs + 30;
  const delayImpairment = 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0);
  const lossImpairment = (95 * lossPercent) / (lossPercent + 25.1);
  const r = 93.2 - delayImpairment - lossImpairment;
  if (r <= 0) return 1;
  return Math.min(4.5, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}

function codecName(stat: Stat): string {
  const name = String(stat.mimeType ?? "").replace(/^audio\//i, "");
  const hertz = numeric(stat.clockRate);
  return hertz ? `${name} ${hertz / 1000} kHz` : name;
}

function numeric(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function count(value: unknown): number {
  return numeric(value) ?? 0;
}
