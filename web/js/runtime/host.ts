// Bytes from the host of a folder (a packed model, a catalogue): HTTP, or a local one in Node.

import { ClipError, type ClipErrorKind, isAbort, reason } from "./errors.js";
import { fs, isNode } from "./platform.js";

/** Tries in a row that bring nothing new before a download is given up, and the waits between. */
const PAUSES_MS = [250, 1000, 2000, 4000];

/** An answer: the bytes from `start` on. */
interface Answer {
  start: number;
  etag: string | undefined;
  body: AsyncIterable<Uint8Array>;
}

/** Bytes taken from a response at a time. */
const PIECE = 1 << 18;
/** Requests at a time. */
const LANES = 6;

/** The error for a file that is not there. */
export interface Absent {
  kind: ClipErrorKind;
  advice: string;
}

/** One folder of a host. */
export class Host {
  readonly base: string;
  /** Whether it answers with the ranges that it is asked for; undefined until it was. */
  ranges: boolean | undefined;

  constructor(
    folder: string,
    private readonly absent: Absent,
  ) {
    this.base = folder.endsWith("/") ? folder : `${folder}/`;
  }

  url(file: string): string {
    return new URL(file, this.base).href;
  }

  /** A small file as text, as it is now. */
  async text(file: string, signal: AbortSignal): Promise<string> {
    return new TextDecoder().decode(await this.small(file, signal, "no-cache"));
  }

  /** A small file. */
  async small(file: string, signal: AbortSignal, cache: RequestCache = "default"): Promise<Uint8Array<ArrayBuffer>> {
    const url = this.url(file);
    if (url.startsWith("file:")) {
      try {
        return new Uint8Array(await (await fs()).readFile(new URL(url)));
      } catch (error) {
        throw this.missing(url, reason(error));
      }
    }
    const response = await request(url, { cache, signal });
    if (!response.ok) throw this.refused(url, response.status);
    try {
      return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      if (isAbort(error) || signal.aborted) throw error;
      throw unreachable(url, error);
    }
  }

  /**
   * The bytes `start..end` of a file, as they arrive. A cut is resumed at the byte where it
   * happened (`Range`, and `If-Range` so that a changed file starts again); a host that ignores
   * ranges sends the whole file, of which the rest is thrown away.
   */
  async *bytes(file: string, start: number, end: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const url = this.url(file);
    let position = start;
    let etag: string | undefined;
    let failures = 0;
    while (position < end) {
      const before = position;
      try {
        const answer = await this.open(url, position, end, etag, signal);
        etag = answer.etag;
        let skip = position - answer.start;
        for await (let bytes of answer.body) {
          if (skip >= bytes.length) {
            skip -= bytes.length;
            continue;
          }
          if (skip > 0) bytes = bytes.subarray(skip);
          skip = 0;
          if (bytes.length > end - position) bytes = bytes.subarray(0, end - position);
          position += bytes.length;
          yield bytes;
          if (position === end) return;
        }
        throw new ClipError("network", `${url} ended after ${position} of ${end} bytes`);
      } catch (error) {
        if (isAbort(error) || signal.aborted) throw error;
        if (error instanceof ClipError && error.kind !== "network") throw error;
        failures = position > before ? 0 : failures + 1;
        const pause = PAUSES_MS[failures];
        if (pause === undefined) {
          throw error instanceof ClipError ? error : unreachable(url, error);
        }
        await sleep(pause, signal);
      }
    }
  }

  private async open(
    url: string,
    start: number,
    end: number,
    etag: string | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    if (url.startsWith("file:")) {
      const file = await (await fs()).open(new URL(url)).catch((e) => {
        throw this.missing(url, reason(e));
      });
      const body = file.createReadStream({ start, end: end - 1, highWaterMark: 1 << 20 });
      return { start, etag: undefined, body: body as AsyncIterable<Uint8Array> };
    }
    const headers: Record<string, string> = { Range: `bytes=${start}-${end - 1}` };
    // To another origin this header would need a preflight; digests guard against mixed versions.
    const sameOrigin = isNode || new URL(url).origin === globalThis.origin;
    if (etag !== undefined && sameOrigin) headers["If-Range"] = etag;
    // What comes is checked and kept by us: the browser's own cache would hold it a second time.
    const response = await request(url, { headers, signal, cache: "no-store" });
    const found = response.headers.get("etag");
    const strong = found && !found.startsWith("W/") ? found : undefined;
    if (response.status === 206) {
      this.ranges = true;
      const from = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
      // Without that header (hidden from other origins) the answer is what was asked for.
      return { start: from === undefined ? start : Number(from), etag: strong, body: chunks(response) };
    }
    if (response.status === 200) {
      this.ranges = false;
      return { start: 0, etag: strong, body: chunks(response) };
    }
    await response.body?.cancel();
    throw this.refused(url, response.status);
  }

  private refused(url: string, status: number): ClipError {
    if (status === 404 || status === 410 || status === 403) return this.missing(url, `status ${status}`);
    return new ClipError("network", `${url} answered with status ${status}; try again later`);
  }

  private missing(url: string, why: string): ClipError {
    return new ClipError(this.absent.kind, `there is no ${url} (${why}): ${this.absent.advice}`);
  }
}

async function request(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (isAbort(error) || init.signal?.aborted) throw error;
    throw unreachable(url, error);
  }
}

async function* chunks(response: Response): AsyncGenerator<Uint8Array> {
  if (!response.body) return;
  const reader = bufferReader(response.body) ?? response.body.getReader();
  // One buffer for all pieces, where the stream fills it: a new one for each would be garbage.
  let buffer = new ArrayBuffer(PIECE);
  try {
    for (;;) {
      const { done, value } = reader instanceof ReadableStreamDefaultReader
        ? await reader.read()
        : await reader.read(new Uint8Array(buffer));
      if (done || !value) return;
      yield value;
      buffer = value.buffer;
    }
  } finally {
    // Also when the consumer has had enough: closes the connection.
    void reader.cancel().catch(() => undefined);
  }
}

/** A reader into our own buffer, where the platform's responses can do that. */
function bufferReader(body: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
}

/**
 * Works on all items, some at a time, where the order of the answers does not matter. All that was
 * begun has ended when this fails.
 */
export async function inLanes<T>(
  items: readonly T[], work: (item: T) => Promise<void>, lanes = LANES,
): Promise<void> {
  const rest = [...items];
  const lane = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(lanes, rest.length) }, lane));
  const failed = ends.find((end): end is PromiseRejectedResult => end.status === "rejected");
  if (failed) throw failed.reason;
}

function unreachable(url: string, error: unknown): ClipError {
  const why = reason(error);
  return new ClipError(
    "network",
    `cannot get ${url} (${why}): check the connection, and for another origin its CORS headers and ` +
      "this page's Content-Security-Policy. What has arrived is kept; load again to resume",
    { cause: error },
  );
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
