// Parts of the page that the server renders again when something changed. A part that holds the focus waits.

import { all, maybe } from './dom';

const soonMs = 400;

export class Parts {
  readonly #path: string;
  #loading: Promise<void> | undefined;
  #again = false;
  #timer: number | undefined;
  /** Called after each refresh. */
  refreshed: () => void = () => {};

  constructor(path: string) {
    this.#path = path;
  }

  /** Loads the parts in a moment: what changes together, as when a call begins, is then loaded once. */
  soon(): void {
    this.#timer ??= window.setTimeout(() => void this.refresh(), soonMs);
  }

  /** Loads the parts anew; calls that come meanwhile become one more. */
  refresh(): Promise<void> {
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#loading) {
      this.#again = true;
      return this.#loading;
    }
    this.#loading = this.#load().finally(() => {
      this.#loading = undefined;
      if (this.#again) {
        this.#again = false;
        void this.refresh();
      }
    });
    return this.#loading;
  }

  async #load(): Promise<void> {
    const response = await fetch(this.#path, { headers: { Accept: 'text/html' } }).catch(() => undefined);
    if (!response?.ok) return; // the line's own notice says so
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
    for (const part of all('[data-part]', fresh)) {
      const old = maybe(`[data-part=${part.dataset['part']}]`);
      if (!old || old.outerHTML === part.outerHTML) continue;
      const focused = old.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset['testid'] : undefined;
      if (old.querySelector('details[open], dialog[open]')) continue;
      const adopted = document.importNode(part, true);
      old.replaceWith(adopted);
      if (focused) maybe(`[data-testid="${focused}"]`, adopted)?.focus();
    }
    this.refreshed();
  }
}
