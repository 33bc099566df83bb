// openOwnWindow opens path (of this site) in a window of its own, signed in. Call it from a click: the window opens at
// once, its address follows.
export async function openOwnWindow(path: string): Promise<void> {
  const opened = window.open("about:blank", "_blank", "width=1280,height=860");
  const csrf = document.querySelector<HTMLMetaElement>('meta[name="csrf"]')?.content ?? "";
  const answer = await fetch("/handoff", { method: "POST", headers: { "X-CSRF": csrf, Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok || !opened) {
    opened?.close();
    return;
  }
  const { url } = (await answer.json()) as { url: string };
  opened.location.href = `${url}~${encodeURIComponent(path)}`;
}
