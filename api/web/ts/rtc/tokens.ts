// Room tokens: each is good once and for minutes. One is always fetched ahead, so that starting or coming back costs no
// request of its own.

export interface RoomToken {
  token: string;
  /** The WebSocket's address, without the token. */
  url: string;
  expiresAt: number;
  /** How media may travel, where the answer tells it ahead of the welcome. */
  path: MediaPath | undefined;
}

export interface MediaPath {
  iceServers: RTCIceServer[];
  relayOnly: boolean;
}

/** What the server's JSON says of a token. */
export interface TokenAnswer {
  token: string;
  expires: string;
  ws: string;
  iceServers?: RTCIceServer[];
  policy?: 'sfu' | 'relay-only';
}

const marginMs = 20_000;
const refreshMs = 60_000;
const answerWithinMs = 4000; // on a line that went dead the browser alone would wait for minutes

export class RoomTokens {
  readonly #path: string;
  readonly #csrf: string;
  #ahead: Promise<RoomToken> | undefined;
  #kept: RoomToken | undefined;
  #url = '';
  #timer: number | undefined;

  /** first is a token that the page brought. */
  constructor(path: string, csrf: string, first?: TokenAnswer) {
    this.#path = path;
    this.#csrf = csrf;
    if (first) this.#hold(Promise.resolve(this.#read(first)));
  }

  /** Fetches a token before it is needed and keeps it fresh until it is taken. */
  prefetch(): void {
    if (this.#ahead || this.#kept) return;
    this.#hold(this.#fetch());
  }

  #hold(ahead: Promise<RoomToken>): void {
    this.#ahead = ahead;
    ahead.then(
      (token) => {
        this.#timer = window.setTimeout(() => {
          this.forget();
          this.prefetch();
        }, Math.max(1000, token.expiresAt - Date.now() - marginMs));
      },
      () => this.forget(), // taking it later asks again and shows the error
    );
  }

  /** A token for one connection. Throws Error('refused') when there is none to be had, Error('offline') when out of reach. */
  async take(): Promise<RoomToken> {
    const [ahead, kept] = [this.#ahead, this.#kept];
    this.forget();
    if (kept && fresh(kept)) return kept;
    if (ahead) {
      const token = await ahead;
      if (fresh(token)) return token;
    }
    return this.#fetch();
  }

  /** Keeps a token that came over the live socket for the next connection. */
  keep(token: string, expires: string): void {
    this.#kept = { token, url: this.#url, expiresAt: Date.parse(expires), path: undefined };
  }

  nearlyExpired(): boolean {
    return !this.#kept || this.#kept.expiresAt - Date.now() < refreshMs;
  }

  forget(): void {
    window.clearTimeout(this.#timer);
    this.#ahead = this.#kept = undefined;
  }

  async #fetch(): Promise<RoomToken> {
    let response: Response;
    try {
      response = await fetch(this.#path, {
        method: 'POST', headers: { 'X-CSRF': this.#csrf, Accept: 'application/json' }, signal: AbortSignal.timeout(answerWithinMs),
      });
    } catch {
      throw new Error('offline');
    }
    if (!response.ok) throw new Error(response.status >= 500 ? 'offline' : 'refused');
    return this.#read((await response.json()) as TokenAnswer);
  }

  #read(answer: TokenAnswer): RoomToken {
    this.#url = new URL(answer.ws, location.href.replace(/^http/, 'ws')).href;
    const path = answer.policy && { iceServers: answer.iceServers ?? [], relayOnly: answer.policy === 'relay-only' };
    return { token: answer.token, url: this.#url, expiresAt: Date.parse(answer.expires), path };
  }
}

function fresh(token: RoomToken): boolean {
  return token.expiresAt - Date.now() > 5000;
}
