// Verified chunks of a model's parts, from the store or from the host.

import { ClipError } from "../runtime/errors.js";
import { Host, inLanes } from "../runtime/host.js";
import { Kept } from "../runtime/kept.js";
import { type Manifest, type Part, parseManifest } from "./manifest.js";
import { sha256 } from "../runtime/platform.js";
import { locked } from "../runtime/store.js";

/** How far a download is, bytes. */
export interface Progress {
  /** Bytes of the files asked for that are here and checked. */
  loaded: number;
  /** Bytes of all of them. */
  total: number;
  /** Of `loaded`: bytes that came over the network. */
  network: number;
}

interface Callbacks {
  onProgress(progress: Progress): void;
  onWarning(warning: ClipError): void;
  /** SHA-256 where the platform has none (pages that are not served over https). */
  digest(bytes: Uint8Array): Promise<string>;
}

type Use = (index: number, chunk: Uint8Array) => void | Promise<void>;

/** One packed model: its manifest, and chunks on demand. */
export class Weights {
  /** When the first chunk was found here, or asked for: what takes a while may be done meanwhile. */
  readonly asked: Promise<void>;
  private ask: () => void = () => undefined;
  private progress: Progress = { loaded: 0, total: 0, network: 0 };

  private constructor(
    readonly manifest: Manifest,
    private readonly host: Host,
    private readonly store: Kept,
    private readonly callbacks: Callbacks,
  ) {
    this.asked = new Promise((resolve) => (this.ask = resolve));
  }

  /** Asks the host for the manifest; without the network the kept one will do. */
  static async open(
    model: string,
    cache: boolean | string,
    callbacks: Callbacks,
    signal: AbortSignal,
  ): Promise<Weights> {
    const host = new Host(model, { kind: "model.not_found", advice: "`model` must be the address of a folder made by `scraper model pack`" });
    const store = await Kept.open(model, cache, "weights", callbacks.onWarning);
    const files = ({ parts: { text, vision, tokens } }: Manifest) => [text.file, vision.file, tokens.file];
    return new Weights(await store.manifest(host, signal, parseManifest, files), host, store, callbacks);
  }

  /** Announces files of which every byte will be needed. */
  expect(parts: Part[]): void {
    for (const part of parts) this.progress.total += part.size - part.start;
  }

  /** All chunks of `part`, in order. A second tab waits here, and then finds them in the store. */
  async all(part: Part, signal: AbortSignal, use: Use): Promise<void> {
    await this.exclusive(part, signal, async () => {
      // One buffer for all chunks: a new one for each would be garbage of the part's size.
      const buffer = new Uint8Array(part.chunk);
      const end = part.sha256.length;
      for (let index = 0; index < end; ) {
        if (await this.useKept(part, index, buffer, signal, use)) {
          index += 1;
          continue;
        }
        // One request for the run of neighbours that are not here either.
        let next = index + 1;
        while (next < end && !(await this.has(part, next))) next += 1;
        await this.fetchRun(part, index, next - 1, signal, use);
        index = next;
      }
    });
  }

  /**
   * The chunks `indices` (ascending) of `part`, in any order: those of a text lie apart, and one
   * round trip after the other would add up.
   */
  async some(part: Part, indices: number[], signal: AbortSignal, use: Use): Promise<void> {
    await this.exclusive(part, signal, async () => {
      const buffer = new Uint8Array(part.chunk);
      const runs: [first: number, last: number][] = [];
      for (const index of indices) {
        if (await this.useKept(part, index, buffer, signal, use)) continue;
        const run = runs.at(-1);
        if (run?.[1] === index - 1) run[1] = index;
        else runs.push([index, index]);
      }
      // A host that ignores ranges sends the whole file each time: then all of it in one go.
      if (this.host.ranges === undefined && runs.length > 1) await this.fetchRun(part, ...runs.shift()!, signal, use);
      if (this.host.ranges === false && runs.length > 1) runs.splice(0, runs.length, [runs[0]![0], runs.at(-1)![1]]);
      await inLanes(runs, (run) => this.fetchRun(part, ...run, signal, use));
    });
  }

  /** Reads and writes what is kept of a part, in one tab at a time. */
  private exclusive(part: Part, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const held = () => this.store.hold(part.file, work);
    return locked(this.host.url(part.file), signal, held);
  }

  /** Uses a chunk that is in the store. */
  private async useKept(
    part: Part,
    index: number,
    buffer: Uint8Array,
    signal: AbortSignal,
    use: Use,
  ): Promise<boolean> {
    signal.throwIfAborted();
    const kept = await this.kept(part, index, buffer);
    if (!kept) return false;
    this.ask();
    this.count(kept.length, 0);
    await use(index, kept);
    return true;
  }

  private async kept(part: Part, index: number, buffer: Uint8Array): Promise<Uint8Array | undefined> {
    const [start, length] = range(part, index);
    const bytes = buffer.subarray(0, length);
    if (!(await this.store.get(part.file, start, bytes))) return undefined;
    return (await this.digest(bytes)) === part.sha256[index] ? bytes : undefined;
  }

  private has(part: Part, index: number): Promise<boolean> {
    return this.store.has(part.file, ...range(part, index));
  }

  private async fetchRun(
    part: Part,
    first: number,
    last: number,
    signal: AbortSignal,
    use: Use,
  ): Promise<void> {
    const [start] = range(part, first);
    const [lastStart, lastLength] = range(part, last);
    // Two chunks at a time: where the platform computes digests on a thread of its own, the next one
    // arrives meanwhile.
    const buffers = Array.from({ length: Math.min(2, last - first + 1) }, () => new Uint8Array(part.chunk));
    let taken = Promise.resolve();
    let index = first;
    let filled = 0;
    // Once the loop has begun and waits.
    queueMicrotask(this.ask);
    try {
      for await (let bytes of this.host.bytes(part.file, start, lastStart + lastLength, signal)) {
        while (bytes.length > 0 && index <= last) {
          const chunk = buffers[(index - first) % 2]!.subarray(0, range(part, index)[1]);
          const now = bytes.subarray(0, chunk.length - filled);
          chunk.set(now, filled);
          filled += now.length;
          bytes = bytes.subarray(now.length);
          this.count(now.length, now.length);
          if (filled < chunk.length) continue;
          await taken;
          taken = this.take(part, index, chunk, use);
          // Awaited with the next one; until then it is no unhandled failure.
          taken.catch(() => undefined);
          index += 1;
          filled = 0;
        }
      }
    } finally {
      await taken;
    }
  }

  /** Uses and keeps a chunk, if it is what the manifest promises. */
  private async take(part: Part, index: number, chunk: Uint8Array, use: Use): Promise<void> {
    if ((await this.digest(chunk)) !== part.sha256[index]) {
      throw new ClipError(
        "model.corrupt",
        `chunk ${index} of ${this.host.url(part.file)} is not what manifest.json promises (its ` +
          "SHA-256 differs), and nothing of it was used: deploy the folder that `scraper model " +
          "pack` wrote again, and see that no proxy alters or recompresses it",
      );
    }
    const [at] = range(part, index);
    await use(index, chunk);
    await this.store.put((to) => to.put(part.file, at, chunk));
  }

  private count(loaded: number, network: number): void {
    this.progress.loaded += loaded;
    this.progress.network += network;
    this.callbacks.onProgress({ ...this.progress });
  }

  private async digest(bytes: Uint8Array): Promise<string> {
    return (await sha256(bytes)) ?? this.callbacks.digest(bytes);
  }
}

/** Byte range of a chunk: first byte and length. */
function range(part: Part, index: number): [number, number] {
  const start = part.start + index * part.chunk;
  return [start, Math.min(part.chunk, part.size - start)];
}
