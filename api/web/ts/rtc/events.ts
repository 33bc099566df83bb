// What a call tells the page.

import type { EndReason } from './messages';

export type CallState = 'idle' | 'connecting' | 'live' | 'reconnecting' | 'ended' | 'failed';

export interface SessionEvents {
  state(state: CallState): void;
  people(): void;
  /** Both sides are muted because somebody's connection is lost; until is performance.now() time. */
  muted(reason: 'peer-lost' | 'self-lost', until: number): void;
  unmuted(): void;
  recording(running: boolean): void;
  quality(level: number): void;
  ended(reason: EndReason): void;
  /** The server refused; code is one of its error codes. */
  failed(code: string): void;
}
