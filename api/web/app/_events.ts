// follow calls changed for each visit that changed and state when the stream opens or is lost. Bursts are gathered. A
// stream that the server refuses is asked for again: the list's own refresh finds out whether the session is over.
export function follow(changed: () => void, state: (open: boolean) => void): void {
  let pending = 0;
  const source = new EventSource("/events");
  source.addEventListener("visit", () => {
    window.clearTimeout(pending);
    pending = window.setTimeout(changed, 150);
  });
  source.addEventListener("open", () => state(true));
  source.addEventListener("error", () => {
    state(false);
    if (source.readyState !== EventSource.CLOSED) return;
    window.setTimeout(() => {
      changed();
      follow(changed, state);
    }, 10_000);
  });
}
