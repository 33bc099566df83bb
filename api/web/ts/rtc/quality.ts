// How good the call is, from the browser's own statistics, and the facts that tests may see. No names, no addresses.

export interface CallFacts {
  connection: RTCPeerConnectionState;
  framesDecoded: number;
  audioEnergy: number;
  framesSent: number;
  bytesReceived: number;
  /** The kind of the local candidate in use: host, srflx, prflx or relay. */
  route: string;
}

export interface Sample {
  rttMs: number | undefined;
  lossPct: number;
  framesPerSecond: number | undefined;
}

type Report = Record<string, unknown> & { type: string; kind?: string };

export async function readFacts(pc: RTCPeerConnection): Promise<CallFacts> {
  const facts: CallFacts = {
    connection: pc.connectionState, framesDecoded: 0, audioEnergy: 0, framesSent: 0, bytesReceived: 0, route: '',
  };
  const reports = await pc.getStats();
  reports.forEach((report: Report) => {
    if (report.type === 'inbound-rtp') {
      facts.framesDecoded += number(report['framesDecoded']);
      facts.audioEnergy += number(report['totalAudioEnergy']);
      facts.bytesReceived += number(report['bytesReceived']);
    }
    if (report.type === 'outbound-rtp') facts.framesSent += number(report['framesSent']);
    if (report.type === 'candidate-pair' && report['nominated'] === true && report['state'] === 'succeeded') {
      const local = reports.get(String(report['localCandidateId'])) as Report | undefined;
      facts.route = String(local?.['candidateType'] ?? '');
    }
  });
  return facts;
}

/** Turns the counters of the connection into figures for the last interval. */
export class QualityMeter {
  #received = 0;
  #lost = 0;
  #frames = 0;
  #at = 0;

  async sample(pc: RTCPeerConnection): Promise<Sample> {
    let received = 0;
    let lost = 0;
    let frames = 0;
    let rttMs: number | undefined;
    (await pc.getStats()).forEach((report: Report) => {
      if (report.type === 'inbound-rtp') {
        received += number(report['packetsReceived']);
        lost += number(report['packetsLost']);
        frames += number(report['framesDecoded']);
      }
      if (report.type === 'candidate-pair' && report['nominated'] === true) {
        const seconds = report['currentRoundTripTime'];
        if (typeof seconds === 'number') rttMs = seconds * 1000;
      }
    });
    const now = performance.now();
    const seconds = (now - this.#at) / 1000;
    const arrived = Math.max(0, received - this.#received);
    const missing = Math.max(0, lost - this.#lost);
    const sample: Sample = {
      rttMs,
      lossPct: arrived + missing > 0 ? (100 * missing) / (arrived + missing) : 0,
      framesPerSecond: this.#at > 0 && seconds > 0 ? Math.max(0, frames - this.#frames) / seconds : undefined,
    };
    [this.#received, this.#lost, this.#frames, this.#at] = [received, lost, frames, now];
    return sample;
  }
}

/** 0 (nothing arrives) to 5 (as good as it gets). */
export function level({ rttMs, lossPct }: Sample): number {
  if (lossPct > 20) return 1;
  let value = 5;
  if (lossPct > 1) value--;
  if (lossPct > 5) value--;
  if ((rttMs ?? 0) > 250) value--;
  if ((rttMs ?? 0) > 500) value--;
  return value;
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
