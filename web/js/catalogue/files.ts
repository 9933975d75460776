// The files of a catalogue: from the store, else from the host; checked in either case.

import { ClipError } from "../runtime/errors.js";
import { type CatalogueManifest, type Listed, parseCatalogue } from "./data.js";
import { Host, inLanes } from "../runtime/host.js";
import { Kept } from "../runtime/kept.js";
import { locked } from "../runtime/store.js";

/** Rows of the exact file that are kept, and checked, at a time: 1 MiB at 512 values. */
const PIECE = 512;
/** Rows that lie so near to each other are fetched with what is between them. */
const GAP = 16;

/** Requests at a time: each is small, and most hosts take many over one connection. */
const LANES = 16;

/** Neighbouring rows, in one request. */
interface Run {
  first: number;
  last: number;
  bytes?: Uint8Array;
}

type OnBytes = (bytes: number) => void;

interface Callbacks {
  onWarning(warning: ClipError): void;
  digest(bytes: Uint8Array): Promise<string>;
  /** Takes rows of the exact file; gives those that are not what the scan file says. */
  rows(ids: Uint32Array, bytes: Uint8Array): number;
}

/** The files of one catalogue. */
export class CatalogueFiles {
  private constructor(
    readonly manifest: CatalogueManifest,
    private readonly host: Host,
    private readonly store: Kept,
    private readonly callbacks: Callbacks,
  ) {}

  /** Asks the host for the manifest; without the network the kept one will do. */
  static async open(url: string, cache: boolean | string, callbacks: Callbacks, signal: AbortSignal): Promise<CatalogueFiles> {
    const host = new Host(url, {
      kind: "index.not_found",
      advice: "it is no folder, or not all of it, that `scraper export --format web` wrote",
    });
    const store = await Kept.open(url, cache, "files of the catalogue", callbacks.onWarning);
    const names = ({ words, scan, exact, facets, titles, cards }: CatalogueManifest) =>
      [...(words ? [words] : []), scan, exact, facets, titles, ...cards].map(({ file }) => file);
    return new CatalogueFiles(await store.manifest(host, signal, parseCatalogue, names), host, store, callbacks);
  }

  url(file: string): string {
    return this.host.url(file);
  }

  /** A large file as a whole; a cut is resumed. */
  whole(listed: Listed, signal: AbortSignal, onBytes?: OnBytes): Promise<Uint8Array<ArrayBuffer>> {
    return this.keptOr(listed, signal, onBytes, async () => {
      const all = new Uint8Array(listed.bytes);
      let filled = 0;
      for await (const piece of this.host.bytes(listed.file, 0, listed.bytes, signal)) {
        all.set(piece, filled);
        filled += piece.length;
        onBytes?.(piece.length);
      }
      return all;
    });
  }

  /** A file of JSON, which hosts compress unless it is asked for in parts. */
  json(listed: Listed, signal: AbortSignal, onBytes?: OnBytes): Promise<Uint8Array<ArrayBuffer>> {
    return this.keptOr(listed, signal, onBytes, async () => {
      const all = await this.host.small(listed.file, signal);
      onBytes?.(all.length);
      return all;
    });
  }

  /** [`json`] as text. */
  async text(listed: Listed, signal: AbortSignal, onBytes?: OnBytes): Promise<string> {
    return new TextDecoder().decode(await this.json(listed, signal, onBytes));
  }

  private keptOr(
    { file, bytes, sha256 }: Listed,
    signal: AbortSignal,
    onBytes: OnBytes | undefined,
    download: () => Promise<Uint8Array<ArrayBuffer>>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    return locked(this.host.url(file), signal, async () => {
      const kept = new Uint8Array(bytes);
      if ((await this.store.get(file, 0, kept)) && (await this.callbacks.digest(kept)) === sha256) {
        onBytes?.(bytes);
        return kept;
      }
      const all = await download();
      if ((await this.callbacks.digest(all)) !== sha256) throw this.corrupt(file);
      await this.store.put((to) => to.put(file, 0, all));
      return all;
    });
  }

  /** What an earlier visit has kept of the exact file; the first row that it lacks. */
  async keptPieces(): Promise<number> {
    const { rows } = this.manifest;
    let first = 0;
    while (first < rows && (await this.keptRows(first, Math.min(PIECE, rows - first)))) first += PIECE;
    return first;
  }

  /** The whole exact file, piece by piece. */
  async allRows(signal: AbortSignal): Promise<void> {
    const { exact, rows } = this.manifest;
    await locked(this.host.url(exact.file), signal, async () => {
      let first = await this.keptPieces();
      if (first >= rows) return;
      let piece = new Uint8Array(this.length(first));
      let filled = 0;
      for await (let bytes of this.host.bytes(exact.file, this.offset(first), exact.bytes, signal)) {
        while (bytes.length > 0) {
          const now = bytes.subarray(0, piece.length - filled);
          piece.set(now, filled);
          filled += now.length;
          bytes = bytes.subarray(now.length);
          if (filled < piece.length) continue;
          this.use(first, piece);
          const at = this.offset(first);
          const verified = piece;
          await this.store.put((to) => to.put(exact.file, at, verified));
          first += PIECE;
          if (first >= rows) return;
          piece = new Uint8Array(this.length(first));
          filled = 0;
        }
      }
    });
  }

  /** Single rows of the exact file; all of it from a host that does not answer with ranges. */
  async someRows(wanted: Uint32Array, keep: boolean, signal: AbortSignal): Promise<void> {
    const { file } = this.manifest.exact;
    let missing = [...wanted].sort((a, b) => a - b);
    if (keep) {
      missing = await locked(this.host.url(file), signal, async () => {
        const not: number[] = [];
        for (const id of missing) if (!(await this.keptRows(id, 1))) not.push(id);
        return not;
      });
    }
    const runs: Run[] = [];
    for (const id of missing) {
      const run = runs.at(-1);
      if (run && id - run.last <= GAP) run.last = id;
      else runs.push({ first: id, last: id });
    }
    // The first alone: it shows whether the host knows ranges.
    if (this.host.ranges === undefined && runs[0]) await this.fetch(runs[0], signal);
    if (this.host.ranges === false && runs.some(({ bytes }) => !bytes)) return this.allRows(signal);
    await inLanes(runs.filter(({ bytes }) => !bytes), (run) => this.fetch(run, signal), LANES);
    if (!keep) return;
    await locked(this.host.url(file), signal, async () => {
      for (const { first, last, bytes } of runs) {
        for (let id = first; id <= last; id += 1) {
          const row = bytes!.subarray(this.offset(id) - this.offset(first), this.offset(id + 1) - this.offset(first));
          await this.store.put((to) => to.put(file, this.offset(id), row));
        }
      }
    });
  }

  private async fetch(run: Run, signal: AbortSignal): Promise<void> {
    const [start, end] = [this.offset(run.first), this.offset(run.last + 1)];
    const bytes = new Uint8Array(end - start);
    let filled = 0;
    for await (const piece of this.host.bytes(this.manifest.exact.file, start, end, signal)) {
      bytes.set(piece, filled);
      filled += piece.length;
    }
    this.use(run.first, bytes);
    run.bytes = bytes;
  }

  private offset(row: number): number {
    return this.manifest.data + row * this.manifest.dim * 4;
  }

  /** Bytes of the piece that begins with row `first`. */
  private length(first: number): number {
    return this.offset(Math.min(first + PIECE, this.manifest.rows)) - this.offset(first);
  }

  /** Rows that are kept on the device, if they are there and sound. */
  private async keptRows(first: number, count: number): Promise<boolean> {
    const bytes = new Uint8Array(this.offset(first + count) - this.offset(first));
    const there = await this.store.get(this.manifest.exact.file, this.offset(first), bytes);
    return there && this.callbacks.rows(ids(first, count), bytes) === 0;
  }

  private use(first: number, bytes: Uint8Array): void {
    const count = bytes.length / (this.manifest.dim * 4);
    if (this.callbacks.rows(ids(first, count), bytes) > 0) throw this.corrupt(this.manifest.exact.file);
  }

  private corrupt(file: string): ClipError {
    return new ClipError(
      "index.corrupt",
      `${this.host.url(file)} is not what manifest.json promises (its SHA-256 differs), and nothing of it ` +
        "was used: deploy the folder that `scraper export --format web` wrote again, and see that no " +
        "proxy alters or recompresses it",
    );
  }
}

const ids = (first: number, count: number) => Uint32Array.from({ length: count }, (_, i) => first + i);
