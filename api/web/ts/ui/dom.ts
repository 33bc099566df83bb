// Finding parts of the server's page, its words, and asking the server.

export function find<E extends Element = HTMLElement>(selector: string, within: ParentNode = document): E {
  const found = within.querySelector<E>(selector);
  if (!found) throw new Error(`the page lacks ${selector}`);
  return found;
}

export function maybe<E extends Element = HTMLElement>(selector: string, within: ParentNode = document): E | null {
  return within.querySelector<E>(selector);
}

export function all<E extends Element = HTMLElement>(selector: string, within: ParentNode = document): E[] {
  return [...within.querySelectorAll<E>(selector)];
}

export type Words = (key: string, values?: Record<string, string | number>) => string;

/** The page's sentences in its language, from its JSON blocks. */
export function readWords(): Words {
  const texts: Record<string, string> = {};
  for (const block of all('script[data-words]')) Object.assign(texts, JSON.parse(block.textContent || '{}'));
  return (key, values = {}) => {
    let text = texts[key] ?? key;
    for (const [name, value] of Object.entries(values)) text = text.replaceAll(`{${name}}`, String(value));
    return text;
  };
}

export function csrf(): string {
  return maybe<HTMLMetaElement>('meta[name=csrf]')?.content ?? '';
}

export class Refused extends Error {
  constructor(readonly status: number, readonly code: string, readonly answer: unknown, text: string) {
    super(text);
  }
}

/** Asks the server for JSON. Rejects with Refused for an answer that is an error, with TypeError when out of reach. */
export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(path, {
    method,
    headers: {
      Accept: 'application/json',
      ...(method !== 'GET' && { 'X-CSRF': csrf() }),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const isJSON = response.headers.get('Content-Type')?.includes('json') ?? false;
  const answer: unknown = isJSON ? await response.json() : undefined;
  if (!response.ok) {
    const { error = '', message = '' } = (answer ?? {}) as { error?: string; message?: string };
    throw new Refused(response.status, error, answer, message);
  }
  return answer as T;
}

export function clock(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(s / 60) % 60, s % 60].map((n) => String(n).padStart(2, '0'));
  return s >= 3600 ? `${Math.floor(s / 3600)}:${parts.join(':')}` : parts.join(':').replace(/^0/, '');
}

const staleAfterMs = 2500;

/** Calls changed for every visit that the server reports as changed, and alive with whether the line is up. */
export function follow(changed: (visit: string) => void, alive: (up: boolean) => void): void {
  const source = new EventSource('/events');
  let down: number | undefined;
  source.addEventListener('visit', (event) => changed((event as MessageEvent<string>).data));
  source.onopen = () => {
    window.clearTimeout(down);
    alive(true);
    if (down !== undefined) changed(''); // something may have been missed
    down = undefined;
  };
  source.onerror = () => {
    down ??= window.setTimeout(() => alive(false), staleAfterMs); // a line that comes back at once is not worth a word
  };
}
