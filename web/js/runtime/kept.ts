// What stays on the device of a folder on a host (a packed model, a catalogue), and its manifest.

import { ClipError, reason } from "./errors.js";
import type { Host } from "./host.js";
import { type Store, locked, notKept, openStore } from "./store.js";

const MANIFEST = "manifest.json";

/** A store that may be missing or fail: then everything comes from the host, with a warning. */
export class Kept {
  private writing: Promise<void> = Promise.resolve();

  private constructor(
    private store: Store | undefined,
    private readonly folder: string,
    private readonly what: string,
    private readonly onWarning: (warning: ClipError) => void,
  ) {}

  /** `what` is kept, as the warning names it. */
  static async open(
    folder: string,
    cache: boolean | string,
    what: string,
    onWarning: (warning: ClipError) => void,
  ): Promise<Kept> {
    const { store, why } = await openStore(folder, cache);
    if (why !== undefined) onWarning(notKept(what, why));
    return new Kept(store, folder, what, onWarning);
  }

  /**
   * The manifest as the host has it now; without the network the kept one will do. Files of an
   * older manifest, which `files` does not name any more (names carry a digest), are deleted.
   */
  async manifest<T>(
    host: Host,
    signal: AbortSignal,
    parse: (text: string, url: string) => T,
    files: (manifest: T) => string[],
  ): Promise<T> {
    const { store } = this;
    let text: string;
    try {
      text = await host.text(MANIFEST, signal);
    } catch (error) {
      if (!(error instanceof ClipError) || error.kind !== "network" || !store) throw error;
      const kept = await locked(this.folder, signal, () => store.text(MANIFEST).catch(() => undefined));
      if (kept === undefined) throw error;
      return parse(kept, host.url(MANIFEST));
    }
    const manifest = parse(text, host.url(MANIFEST));
    if (store) {
      await locked(this.folder, signal, async () => {
        await store.keepOnly([MANIFEST, ...files(manifest)]).catch(() => undefined);
        await this.put((to) => to.setText(MANIFEST, text));
      });
    }
    return manifest;
  }

  /** Fills `into` with bytes of a file; false if they are not all here. */
  async get(file: string, offset: number, into: Uint8Array): Promise<boolean> {
    return (await this.store?.get(file, offset, into).catch(() => false)) ?? false;
  }

  /** Whether [`get`] would give something (it may be damaged). */
  async has(file: string, offset: number, length: number): Promise<boolean> {
    return (await this.store?.has(file, offset, length).catch(() => false)) ?? false;
  }

  /** Keeps a file open during `work`, if that helps. */
  hold<T>(file: string, work: () => Promise<T>): Promise<T> {
    return this.store?.hold?.(file, work) ?? work();
  }

  /** Keeps what has arrived, one after the other: a file in OPFS has one writer. */
  put(write: (store: Store) => Promise<void>): Promise<void> {
    this.writing = this.writing.then(async () => {
      try {
        if (this.store) await write(this.store);
      } catch (error) {
        this.store = undefined;
        this.onWarning(notKept(this.what, reason(error), (error as Error).name));
      }
    });
    return this.writing;
  }
}
