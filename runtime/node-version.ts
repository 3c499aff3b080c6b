const NEEDED = 24;

/** Throws when this Node is too old, before something that it does not know is used and fails in other words. */
export function checkNodeVersion(version: string): void {
  if (Number.parseInt(version) >= NEEDED) return;
  throw new Error(
    `metrobus needs Node ${NEEDED} or newer, and this is ${version}: install it, or let npm bring it with the project (npm install --save-dev node@${NEEDED}, then npx or an npm script)`,
  );
}

checkNodeVersion(process.versions.node);
