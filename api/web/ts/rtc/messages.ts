// The signalling messages. media/PROTOCOL.md documents each; this file is its TypeScript face.

export type Source = 'camera' | 'mic' | 'screen';
export type Role = 'clinician' | 'patient' | 'guest';

export interface PeerInfo {
  id: string;
  role: Role;
  mic: boolean;
  camera: boolean;
  state: 'joined' | 'live' | 'lost' | 'left';
}

export interface Slot {
  mid: string;
  peer: string;
  source: Source;
}

export type EndReason =
  | 'hang-up' | 'peer-left' | 'timeout' | 'ended-by-host' | 'shutdown' | 'replaced';

export interface Welcome {
  t: 'welcome';
  peer: string;
  room: string;
  iceServers?: RTCIceServer[];
  policy?: 'sfu' | 'relay-only';
  resume: string;
  graceMs: number;
  muteAfterMs: number;
  peers?: PeerInfo[];
}

export interface CandidateMessage {
  t: 'candidate';
  candidate: string;
  sdpMid?: string;
  sdpMLineIndex?: number;
  usernameFragment?: string;
}

export type ServerMessage =
  | Welcome
  | CandidateMessage
  | { t: 'answer'; sdp: string; neg: number }
  | { t: 'want'; audio: number; video: number }
  | { t: 'slots'; slots: Slot[] }
  | ({ t: 'peer' } & PeerInfo)
  | { t: 'muted'; reason: 'peer-lost' | 'self-lost'; graceMs: number }
  | { t: 'unmuted' }
  | { t: 'recording'; state: 'off' | 'running' | 'stopped' }
  | { t: 'quality'; peer: string; level: number }
  | { t: 'token'; token: string; expires: string }
  | { t: 'pong'; id: number }
  | { t: 'ended'; reason: EndReason }
  | { t: 'error'; code: string; message?: string };

export interface TrackNote {
  mid: string;
  source: Source;
}

export type ClientMessage =
  | { t: 'hello'; token: string; v: 1; resume?: string }
  | { t: 'offer'; sdp: string; neg: number; tracks: TrackNote[] }
  | CandidateMessage
  | { t: 'state'; mic: boolean; camera: boolean }
  | { t: 'renew' }
  | { t: 'bye' }
  | { t: 'ping'; id: number }
  | { t: 'stats'; rttMs?: number; lossPct?: number; frames?: number };

const known = new Set<string>([
  'welcome', 'candidate', 'answer', 'want', 'slots', 'peer', 'muted', 'unmuted', 'recording', 'quality',
  'token', 'pong', 'ended', 'error',
]);

/** Reads one frame of the server. Types that this version does not know give undefined, so that a newer server may add some. */
export function parseServerMessage(frame: unknown): ServerMessage | undefined {
  if (typeof frame !== 'string') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const type = (value as { t?: unknown }).t;
  return typeof type === 'string' && known.has(type) ? (value as ServerMessage) : undefined;
}
