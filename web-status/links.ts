/** The page's addresses. `base`: where the page itself is mounted, "" at the root. */

export const stopHref = (base: string, stop: string): string => `${base}/stops/${inAddress(stop)}`;
export const tripHref = (base: string, message: string): string => `${base}/trips/${inAddress(message)}`;
export const letterHref = (base: string, letter: string): string => `${base}/letters/${letter}`;
export const runHref = (base: string, run: string): string => `${base}/runs/${run}`;

/** `next`: where one is afterwards, below `base`. */
export const logInHref = (base: string, next: string): string => `${base}/login?next=${encodeURIComponent(next)}`;

/** Those that fit; what has no value is not asked for. */
export function lettersHref(
  base: string,
  filter: Readonly<Record<string, string | number | null | undefined>>,
): string {
  const given = Object.entries(filter).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [[name, String(value)] as [string, string]],
  );
  return `${base}/letters?${new URLSearchParams(given).toString()}`;
}

/** Half of a surrogate pair, which an address can't have, is lost. */
const inAddress = (text: string): string => encodeURIComponent(text.toWellFormed());
