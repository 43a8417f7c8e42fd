// What every page is held to: nothing from elsewhere, little of it, nothing that axe finds serious, no fault told by the browser, and what
// it says is there without scripts too. With PICTURES it also draws the pages for the documentation.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
// Those that docs/dashboard.md shows; another folder than its gets all.
const DOCUMENTED = new Set(["overview", "requests", "request", "deposit-account", "staff", "approval", "scheme", "scheme-edit", "scheme-routes", "moderation", "scheme-version"]);
const PAGE_BYTES_MAX = 200_000;
const PICTURE_BYTES_MAX = 80_000;
export const DESKTOP = { width: 1200, height: 800 };
export const PHONE = { width: 390, height: 844 };

export class Judge {
  static async start(url) {
    const judge = new Judge();
    judge.url = url;
    const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
    // As root, as in containers, Chromium has no sandbox of its own.
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    judge.browser = await chromium.launch({ executablePath, args });
    judge.faults = [];
    judge.seen = new Set();
    return judge;
  }

  async stop() {
    await this.browser.close();
  }

  // A browser of somebody's own, whose network and console are listened to.
  async visitor(options = {}) {
    const context = await this.browser.newContext({ viewport: DESKTOP, baseURL: this.url, timezoneId: "Europe/Berlin", ...options });
    context.on("request", (request) => {
      if (!request.url().startsWith(`${this.url}/`)) this.faults.push(`${request.url()} was asked for`);
    });
    const page = await context.newPage();
    page.on("console", (message) => {
      // That a form was refused is what some tests are about.
      if (message.type() === "error" && !/status of (403|409|422|503)/.test(message.text())) this.faults.push(`${page.url()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.faults.push(`${page.url()}: ${error.message}`));
    return page;
  }

  // Looks at the page as it is, in the light and the dark, wide and narrow. `name` draws it.
  async look(page, name) {
    const at = new URL(page.url()).pathname.replaceAll(/\d{6,}|[a-z]+_[0-9a-f]{32}|[0-9a-f]{32}/g, "*");
    await this.weigh(page);
    for (const viewport of [DESKTOP, PHONE]) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        await this.axe(page, `${at}, ${colorScheme}, ${viewport.width} wide`);
      }
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (overflow > 1) this.faults.push(`${at}: it is ${overflow} pixels wider than a screen of ${viewport.width}`);
    }
    if (name) await this.draw(page, name);
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize(DESKTOP);
    this.seen.add(at);
  }

  async axe(page, what) {
    // Evaluated by the debugger: the page's policy lets no foreign script in.
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    for (const { id, impact, nodes } of violations.filter(({ impact }) => impact === "serious" || impact === "critical")) {
      this.faults.push(`${what}: ${impact}, ${id}: ${nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`);
    }
  }

  // What the page and all that it needs take.
  async weigh(page) {
    const entries = await page.evaluate(() =>
      [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .filter((entry) => !entry.name.endsWith("/live"))
        .map((entry) => [entry.name, entry.decodedBodySize]),
    );
    const bytes = entries.reduce((sum, [, size]) => sum + size, 0);
    if (bytes > PAGE_BYTES_MAX) this.faults.push(`${page.url()}: ${bytes} bytes, of ${JSON.stringify(entries)}`);
    for (const [name] of entries) if (!name.startsWith(`${this.url}/`)) this.faults.push(`${name} was loaded`);
  }

  // The same page without scripts says the same headings and rows.
  async withoutScripts(page) {
    const told = (page) => page.evaluate(() => [...document.querySelectorAll("main h1, main h2, main caption, main legend, main dt")].map((one) => one.textContent.trim()));
    const plain = await this.visitor({ javaScriptEnabled: false, storageState: await page.context().storageState() });
    await plain.goto(page.url());
    const texts = await plain.locator("main h1, main h2, main caption, main legend, main dt").allTextContents();
    assert.deepEqual(texts.map((text) => text.trim()), await told(page), `${page.url()} without scripts`);
    await plain.context().close();
  }

  async draw(page, name) {
    const folder = process.env.PICTURES;
    if (!folder || (folder.endsWith("docs/images") && !DOCUMENTED.has(name))) return;
    const sharp = require("sharp");
    await mkdir(folder, { recursive: true });
    for (const [kind, viewport, colorScheme] of [["desktop", DESKTOP, "light"], ["phone", PHONE, "dark"]]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      const whole = await page.evaluate(() => document.documentElement.scrollHeight);
      const shot = await page.screenshot({ clip: { x: 0, y: 0, width: viewport.width, height: Math.min(whole, viewport.height * 2) }, fullPage: true });
      // As many colours as fit; with fewer, states lose theirs.
      for (const colours of [256, 128, 64, 32]) {
        const small = await sharp(shot).png({ palette: true, colours, dither: 0, effort: 10, compressionLevel: 9 }).toBuffer();
        if (small.length > PICTURE_BYTES_MAX && colours > 32) continue;
        await writeFile(`${folder}/${name}-${kind}.png`, small);
        break;
      }
    }
  }

  // All that was found wrong so far.
  verdict() {
    const faults = [...new Set(this.faults)];
    this.faults = [];
    assert.equal(faults.length, 0, `\n${faults.join("\n")}`);
  }
}
