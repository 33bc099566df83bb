// The live worklist: refreshed in place on events, never losing the row in focus; works without this script too.
import { follow } from "./_events";

const list = document.getElementById("worklist") as HTMLElement;
const state = document.getElementById("live-state") as HTMLElement;
const filter = document.getElementById("filter") as HTMLInputElement;
const keys = document.getElementById("keys") as HTMLDialogElement;
const chime = document.getElementById("chime") as HTMLInputElement;
let waiting = Number(meta().dataset["waiting"] ?? 0);
let dirty = false;
let signedOut = false;

function meta(): HTMLElement {
  return document.getElementById("worklist-meta") as HTMLElement;
}

function say(kind: "live" | "stale" | "out"): void {
  if (signedOut && kind === "stale") return;
  signedOut = kind === "out";
  state.dataset["state"] = kind;
  state.textContent = (state.dataset[kind] ?? "").replace("{time}", meta().dataset["asOf"] ?? "");
}

async function refresh(): Promise<void> {
  // A menu that is open, or a button being pressed, is not pulled away: the refresh waits for it.
  if (list.querySelector("details[open]") || list.querySelector(":active")) {
    dirty = true;
    return;
  }
  dirty = false;
  let answer: Response;
  try {
    answer = await fetch(list.dataset["refresh"] ?? "", { headers: { "X-Background": "1" }, redirect: "manual" });
  } catch {
    say("stale");
    return;
  }
  if (answer.type === "opaqueredirect" || answer.status === 401) {
    say("out");
    return;
  }
  if (!answer.ok) {
    say("stale");
    return;
  }
  swap(await answer.text());
}

function swap(html: string): void {
  const active = document.activeElement;
  const row = active?.closest<HTMLElement>("[data-key]");
  const key = row?.dataset["key"];
  const index = row && active !== row ? focusable(row).indexOf(active as HTMLElement) : -1;
  list.innerHTML = html;
  if (key) {
    const again = list.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`);
    (again && index >= 0 ? (focusable(again)[index] ?? again) : again)?.focus({ preventScroll: true });
  }
  const now = Number(meta().dataset["waiting"] ?? 0);
  if (now > waiting && localStorage.getItem("chime") !== "off") ring();
  waiting = now;
  document.title = document.title.replace(/^(\(\d+\) )?/, now ? `(${now}) ` : "");
  applyFilter();
  say("live");
}

function focusable(row: HTMLElement): HTMLElement[] {
  return [...row.querySelectorAll<HTMLElement>("a, button, summary")];
}

function ring(): void {
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = 660;
  volume.gain.setValueAtTime(0.08, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + 0.6);
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.6);
  tone.onended = () => void audio.close();
}

function rows(): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>("[data-key]:not(.hidden-by-filter)")];
}

function applyFilter(): void {
  const wanted = filter.value.trim().toLocaleLowerCase();
  for (const row of list.querySelectorAll<HTMLElement>("[data-key]")) {
    row.classList.toggle("hidden-by-filter", wanted !== "" && !(row.textContent ?? "").toLocaleLowerCase().includes(wanted));
  }
}

function move(by: number): void {
  const all = rows();
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function tick(): void {
  for (const badge of list.querySelectorAll<HTMLElement>("[data-since]")) {
    const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(badge.dataset["since"] ?? "")) / 60000));
    badge.textContent = (badge.dataset["text"] ?? "").includes("{n}") ? (badge.dataset["text"] ?? "").replace("{n}", String(minutes)) : badge.textContent;
    badge.classList.toggle("late", minutes >= 10 && minutes < 20);
    badge.classList.toggle("long", minutes >= 20);
  }
  if (dirty) void refresh();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  const target = event.target as HTMLElement;
  if (target.matches("input, select, textarea")) {
    if (event.key === "Escape") target.blur();
    return;
  }
  const actions: Record<string, () => void> = { j: () => move(1), k: () => move(-1), "/": () => filter.focus(), "?": () => keys.showModal() };
  const action = actions[event.key];
  if (action) {
    event.preventDefault();
    action();
  } else if (event.key === "Enter" && target.matches("[data-key]")) {
    target.querySelector<HTMLElement>("[data-primary], a.name")?.click();
  }
});
document.getElementById("show-keys")?.addEventListener("click", () => keys.showModal());
filter.addEventListener("input", applyFilter);
chime.checked = localStorage.getItem("chime") !== "off";
chime.addEventListener("change", () => localStorage.setItem("chime", chime.checked ? "on" : "off"));
setInterval(tick, 5000);
follow(() => void refresh(), (open) => (open ? void refresh() : say("stale")));
