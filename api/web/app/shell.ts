// The theme toggle without a page load, and menus that close as people expect.
const root = document.documentElement;
document.querySelector<HTMLButtonElement>("[data-theme-toggle]")?.addEventListener("click", (event) => {
  event.preventDefault();
  const dark = root.dataset["theme"] === "dark" || (!root.dataset["theme"] && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset["theme"] = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset["theme"]}; path=/; max-age=31536000; secure; samesite=none`;
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
    if (!menu.contains(event.target as Node)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  }
});
document.querySelector("[data-print]")?.addEventListener("click", () => window.print());
