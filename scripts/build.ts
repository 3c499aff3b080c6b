/** `npm run build`: dist/, what users install (`npm pack ./dist`): JavaScript, types, the page's files, its own package.json. */
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const KEPT = ["name", "version", "description", "keywords", "license", "type", "engines", "dependencies"];

rmSync(dist, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(root, "node_modules/typescript/bin/tsc"), "-p", join(root, "tsconfig.build.json")],
  {
    stdio: "inherit",
  },
);
for (const path of ["web-status/views", "web-status/public", "docs", "README.md", "LICENSE", "CHANGELOG.md"])
  cpSync(join(root, path), join(dist, path), { recursive: true });
writeFileSync(join(dist, "package.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
console.log("dist/ is built: `npm pack ./dist` makes the package");

/** The repository's package.json without what is for developers only, pointing at the built files. */
function manifest(): object {
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, unknown>;
  return {
    ...Object.fromEntries(KEPT.map((field) => [field, own[field]])),
    exports: {
      ".": { types: "./runtime/index.d.ts", default: "./runtime/index.js" },
      "./status-page": { types: "./web-status/page.d.ts", default: "./web-status/page.js" },
    },
    bin: { metrobus: "runtime/cli.js" },
  };
}
