import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type Browser } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The browser to test in: CHROMIUM_PATH, the system's, or playwright's; null: there is none. */
export function findChromium(): string | null {
  const given = process.env["CHROMIUM_PATH"];
  if (given) {
    if (!isProgram(given)) throw new Error(`CHROMIUM_PATH=${given} is no program: correct it or remove it`);
    return given;
  }
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const system = folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isProgram);
  if (system) return system;
  const own = chromium.executablePath();
  return own && existsSync(own) ? own : null;
}

/** Starts it, without a window; null: there is none, which is an error with CI=true. */
export async function launchChromium(): Promise<Browser | null> {
  const executablePath = findChromium();
  if (executablePath) return chromium.launch({ executablePath, args: QUIET });
  if (process.env["CI"] === "true") throw new Error("CI=true, and there is no browser: set CHROMIUM_PATH");
  return null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
