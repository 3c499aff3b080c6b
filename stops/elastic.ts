import { MetrobusError, Unavailable } from "metrobus";

/** At most so many documents, so many characters and so many milliseconds in one request. */
const BATCH_ITEMS = 500;
const BATCH_CHARACTERS = 5_000_000;
const BATCH_MS = 50;
const REQUEST_TIMEOUT_MS = 20_000;

export interface Document {
  /** A document indexed again under its id takes its own place. */
  id: string;
  /** Epoch ms: decides the daily index. */
  at: number;
  body: object;
}

/** Resolves when the document is indexed. Rejects with Unavailable when trying again can help, else MetrobusError. */
export type IndexDocument = (document: Document, signal: AbortSignal) => Promise<void>;

interface Waiting {
  lines: string;
  resolve: () => void;
  reject: (error: Error) => void;
}

interface BulkItem {
  status: number;
  error?: { type: string; reason: string };
}

/** The index of a day, UTC: `metro-bus-2026-01-31`. */
export const dailyIndex = (at: number): string => `metro-bus-${new Date(at).toISOString().slice(0, 10)}`;

/** Indexes in batches at Elasticsearch or OpenSearch, by the `_bulk` interface that both share. `url`: the server's base URL. */
export function elastic(url: string): IndexDocument {
  let batch: Waiting[] = [];
  let characters = 0;
  let timer: NodeJS.Timeout | undefined;

  const flush = () => {
    clearTimeout(timer);
    const full = batch;
    batch = [];
    characters = 0;
    void sendBatch(url, full);
  };

  return async ({ id, at, body }, signal) => {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const aborted = () => reject(signal.reason as Error);
    signal.addEventListener("abort", aborted, { once: true });
    const lines = `${JSON.stringify({ index: { _index: dailyIndex(at), _id: id } })}\n${JSON.stringify(body)}\n`;
    if (batch.push({ lines, resolve, reject }) === 1) timer = setTimeout(flush, BATCH_MS);
    characters += lines.length;
    if (batch.length === BATCH_ITEMS || characters >= BATCH_CHARACTERS) flush();
    await promise.finally(() => signal.removeEventListener("abort", aborted));
  };
}

/** Tells each of the batch what became of it; never rejects. */
async function sendBatch(url: string, batch: readonly Waiting[]): Promise<void> {
  try {
    const items = await bulk(url, batch.map(({ lines }) => lines).join(""));
    for (const [index, { resolve, reject }] of batch.entries()) {
      const fault = itemFault(items[index]);
      if (fault) reject(fault);
      else resolve();
    }
  } catch (error) {
    for (const { reject } of batch) reject(error as Error);
  }
}

async function bulk(url: string, body: string): Promise<BulkItem[]> {
  const answer = await post(`${url}/_bulk`, body);
  if (!answer.ok) throw refused(answer.status, `${url}/_bulk answered ${answer.status}: ${answer.text}`);
  const items = itemsOf(answer.text);
  if (items) return items;
  throw new Unavailable(
    `${url}/_bulk answered what is no bulk answer: ${answer.text.slice(0, 200)}: is it OpenSearch or Elasticsearch?`,
  );
}

/** Null: the text is no bulk answer, as of a proxy or another program. */
function itemsOf(text: string): BulkItem[] | null {
  try {
    const { items } = JSON.parse(text) as { items: { index: BulkItem }[] };
    return items.map((item) => item.index);
  } catch {
    return null;
  }
}

async function post(url: string, body: string): Promise<{ ok: boolean; status: number; text: string }> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    return { ok: response.ok, status: response.status, text: await response.text() };
  } catch (error) {
    throw new Unavailable(
      `${url} gives no answer (${String(error)}): start the server, or correct ELASTIC_HOST and ELASTIC_PORT`,
      error,
    );
  }
}

function itemFault(item: BulkItem | undefined): MetrobusError | null {
  if (item === undefined) return new Unavailable("the search server's answer leaves this message out");
  if (item.status < 300) return null;
  return refused(item.status, `not indexed: ${item.error?.type}: ${item.error?.reason}`);
}

/** Too many requests and the server's own faults pass; whatever else it does not like, it will not like the next time. */
const refused = (status: number, message: string): MetrobusError =>
  status === 429 || status >= 500
    ? new Unavailable(message)
    : new MetrobusError(message, { reason: `not indexed (${status})` });
