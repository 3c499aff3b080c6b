/** kafkajs gives up a request after 30 s; this is for what it forgets. */
const FORGOTTEN_MS = 40_000;

/** The promise's outcome. Rejects when there is none in 40 s: whoever asked begins anew, with another connection. */
export async function answered<T>(asked: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer in ${FORGOTTEN_MS / 1_000} s`)), FORGOTTEN_MS);
  try {
    return await Promise.race([asked, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
