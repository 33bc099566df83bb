// The new window of a page that was framed: takes the secret from the fragment, asks who it is, and goes on after a click.
const [secret = "", next = "/"] = location.hash.slice(1).split("~");
history.replaceState(null, "", location.pathname);
const go = document.getElementById("handoff-go") as HTMLButtonElement;

async function post(path: string, values: Record<string, string>): Promise<Record<string, string> | null> {
  const answer = await fetch(path, { method: "POST", body: new URLSearchParams({ secret, ...values }), headers: { Accept: "application/json" } }).catch(() => null);
  return answer?.ok ? ((await answer.json()) as Record<string, string>) : null;
}

function over(): void {
  go.hidden = true;
  (document.getElementById("handoff-over") as HTMLElement).hidden = false;
}

const who = await post("/handoff/who", {});
if (who) {
  go.textContent = (go.dataset["text"] ?? "").replace("{name}", who["name"] ?? "");
  go.hidden = false;
  go.focus();
  go.addEventListener("click", async () => {
    const to = await post("/handoff/accept", { next: decodeURIComponent(next) });
    if (to) location.replace(to["url"] ?? "/");
    else over();
  });
} else {
  over();
}
