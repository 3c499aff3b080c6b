/** Every wait of the harness has a bound, and says what it waited for in vain. */

export const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until it holds; throws what `missing` says when it does not within `seconds`. A condition that throws does not hold yet. */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  seconds: number,
  missing: () => string,
): Promise<void> {
  const deadline = Date.now() + seconds * 1_000;
  let last = "";
  while (Date.now() < deadline) {
    try {
      if (await condition()) return;
      last = "";
    } catch (error) {
      last = ` (${String(error)})`;
    }
    await rest(20);
  }
  throw new Error(`waited ${seconds} s in vain: ${missing()}${last}`);
}
