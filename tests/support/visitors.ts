import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { PASSWORD } from "./operated.ts";

/** Who looks at pages in browsers of their own; what a browser complains of (console, CSP, dialogs) is kept. */
export interface Visitors {
  readonly complaints: string[];
  open(url: string, options?: BrowserContextOptions): Promise<Page>;
  /** Logged in by the form, and at `path` then. */
  operator(url: string, name: string, path?: string, options?: BrowserContextOptions): Promise<Page>;
  leave(): Promise<void>;
}

/** An answer that says that something was not done is one that the browser tells of too. */
const TOLD = /the server responded with a status of (401|403|404|409|422|503) /;

export function visitors(browser: Browser): Visitors {
  const complaints: string[] = [];
  const pages: Page[] = [];
  async function open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await browser.newContext({ reducedMotion: "reduce", ...options })).newPage();
    pages.push(page);
    page.on("console", (entry) => {
      if (["error", "warning"].includes(entry.type()) && !TOLD.test(entry.text())) complaints.push(entry.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("dialog", (dialog) => {
      complaints.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(url);
    return page;
  }
  return {
    complaints,
    open,
    async operator(url, name, path = "/", options = {}) {
      const page = await open(`${url}/login?next=${encodeURIComponent(path)}`, options);
      await page.getByLabel("Name").fill(name);
      await page.getByLabel("Password").fill(PASSWORD);
      await page.getByRole("button", { name: "Log in" }).click();
      await page.waitForURL(url + path);
      return page;
    },
    leave: async () => void (await Promise.all(pages.splice(0).map((page) => page.context().close()))),
  };
}
