// Checks every page of the gallery for accessibility (axe-core: WCAG 2.2 AA and best practice) and for sideways
// scrolling, wide and narrow, light and dark.
//
//   go run ./cmd/dev/gallery -serve 127.0.0.1:18777 &
//   NODE_PATH=cmd/dev/e2e/node_modules node cmd/dev/gallery/axe.mjs http://127.0.0.1:18777
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const modules = createRequire(new URL("../e2e/package.json", import.meta.url));
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");
const base = process.argv[2] ?? "http://127.0.0.1:18777";
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const names = await (await fetch(`${base}/scenes`)).json();
const problems = new Map();

function note(problem, scene) {
  problems.set(problem, [...(problems.get(problem) ?? []), scene]);
}

for (const theme of ["light", "dark"]) {
  for (const [width, height] of [[1280, 900], [390, 844]]) {
    const page = await browser.newPage({ viewport: { width, height } });
    for (const name of names) {
      await page.goto(`${base}/scene/${theme}/${name}`, { waitUntil: "domcontentloaded" });
      await page.evaluate(axe);
      const result = await page.evaluate(() => globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] }));
      for (const violation of result.violations) {
        for (const node of violation.nodes) note(`${violation.id} at ${node.target.join(" ")}: ${node.failureSummary}`, `${name} ${theme} ${width}`);
      }
      if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1)) note("scrolls sideways", `${name} ${theme} ${width}`);
    }
    await page.close();
  }
}
await browser.close();
for (const [problem, scenes] of problems) console.log(`${problem}\n  ${scenes.length} pages, first ${scenes[0]}\n`);
console.log(`${names.length} pages in 4 forms: ${problems.size} kinds of problems`);
process.exit(problems.size === 0 ? 0 : 1);
