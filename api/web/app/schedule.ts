// Conveniences of the schedule: choices apply at once, a link is copied by one click. All of it works without.
document.documentElement.classList.add("scripted");
for (const input of document.querySelectorAll<HTMLInputElement | HTMLSelectElement>("[data-autosubmit]")) {
  input.addEventListener("change", () => input.form?.requestSubmit());
}
for (const input of document.querySelectorAll<HTMLInputElement>("[data-select]")) {
  input.addEventListener("focus", () => input.select());
}
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset["copy"] ?? "") as HTMLInputElement;
    await navigator.clipboard.writeText(field.value).catch(() => {
      field.select();
      document.execCommand("copy");
    });
    const words = button.querySelector("span");
    if (words) words.textContent = button.dataset["copied"] ?? "";
  });
}
const calendar = document.querySelector<HTMLElement>(".calendar");
// The day opens where it is now, or where work begins: at the first visit, at 7 o'clock at the latest.
const morning = 7 * 104;
const now = calendar?.querySelector<HTMLElement>(".now");
if (calendar && now) calendar.scrollTop = now.offsetTop - calendar.clientHeight / 2;
else if (calendar) calendar.scrollTop = Math.min(morning, ...[...calendar.querySelectorAll<HTMLElement>(".block")].map((block) => block.offsetTop - 16));
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || (event.target as HTMLElement).matches("input, select, textarea")) return;
  event.preventDefault();
  document.querySelector<HTMLInputElement>("[data-search]")?.focus();
});
