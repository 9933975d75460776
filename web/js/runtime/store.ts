// Where weights and catalogues are kept between visits. Nothing that is read back is trusted: it is
// checked against a digest of the manifest before use.

import { ClipError, reason } from "./errors.js";
import { fs, isNode, os, path } from "./platform.js";

/** Files of one model or catalogue, written and read in chunks. */
export interface Store {
  /** Fills `into` with bytes of a file; false if they are not all there. */
  get(file: string, offset: number, into: Uint8Array): Promise<boolean>;
  /** Whether [`get`] would give something (it may still be damaged). */
  has(file: string, offset: number, length: number): Promise<boolean>;
  put(file: string, offset: number, bytes: Uint8Array): Promise<void>;
  /** A small file as a whole. */
  text(file: string): Promise<string | undefined>;
  setText(file: string, text: string): Promise<void>;
  /** Deletes all files but these. */
  keepOnly(files: string[]): Promise<void>;
  /** Keeps a file open during `work`, where opening it takes longer than reading or writing a chunk. */
  hold?<T>(file: string, work: () => Promise<T>): Promise<T>;
}

const FOLDER = "clip-everywhere";

/** A name for the folder of a model or catalogue: readable, and different for different addresses. */
function folderOf(model: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(model)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  const tail = model.replace(/\/+$/, "").split("/").pop() ?? "";
  return `${tail.replace(/[^\w-]/g, "_").slice(0, 40)}-${hash.toString(16).padStart(16, "0")}`;
}

/**
 * The best store here, or why there is none. `cache` is the option of `Clip.load`: false for none,
 * in Node the folder to use.
 */
export async function openStore(
  model: string,
  cache: boolean | string,
): Promise<{ store?: Store; why?: string }> {
  if (cache === false) return {};
  try {
    if (isNode) {
      // Local files are their own store.
      if (model.startsWith("file:")) return {};
      return { store: await FileStore.open(model, typeof cache === "string" ? cache : undefined) };
    }
    const root = await navigator.storage?.getDirectory?.().catch(() => undefined);
    if (root && typeof FileSystemFileHandle !== "undefined"
      && "createSyncAccessHandle" in FileSystemFileHandle.prototype) {
      const all = await root.getDirectoryHandle(FOLDER, { create: true });
      return { store: new OpfsStore(await all.getDirectoryHandle(folderOf(model), { create: true })) };
    }
    if (typeof caches !== "undefined") {
      return { store: new CacheStore(await caches.open(FOLDER), folderOf(model)) };
    }
    return { why: "this browser offers no storage here (is the page served over https?)" };
  } catch (error) {
    return { why: reason(error) };
  }
}

/** What is known of a file that nobody else opens meanwhile. */
interface Held {
  handle?: FileSystemSyncAccessHandle;
  absent?: boolean;
}

/** The origin's private file system. Access handles are exclusive: callers hold a Web Lock. */
class OpfsStore implements Store {
  private readonly held = new Map<string, Held>();

  constructor(private readonly folder: FileSystemDirectoryHandle) {}

  async hold<T>(file: string, work: () => Promise<T>): Promise<T> {
    const held: Held = {};
    this.held.set(file, held);
    try {
      return await work();
    } finally {
      this.held.delete(file);
      held.handle?.close();
    }
  }

  private async open<T>(
    file: string,
    create: boolean,
    use: (handle: FileSystemSyncAccessHandle) => T,
  ): Promise<T | undefined> {
    const held = this.held.get(file);
    if (held?.handle) return use(held.handle);
    if (held?.absent && !create) return undefined;
    let handle: FileSystemSyncAccessHandle;
    try {
      const found = await this.folder.getFileHandle(file, { create });
      handle = await found.createSyncAccessHandle();
    } catch (error) {
      if (create || (error as Error).name !== "NotFoundError") throw error;
      if (held) held.absent = true;
      return undefined;
    }
    if (held) {
      held.handle = handle;
      return use(handle);
    }
    try {
      return use(handle);
    } finally {
      handle.close();
    }
  }

  async get(file: string, offset: number, into: Uint8Array): Promise<boolean> {
    const read = (handle: FileSystemSyncAccessHandle) =>
      handle.read(into as Uint8Array<ArrayBuffer>, { at: offset }) === into.length;
    return (await this.open(file, false, read)) ?? false;
  }

  async has(file: string, offset: number, length: number): Promise<boolean> {
    return (await this.open(file, false, (handle) => handle.getSize() >= offset + length)) ?? false;
  }

  async put(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    await this.open(file, true, (handle) => {
      const written = handle.write(bytes as Uint8Array<ArrayBuffer>, { at: offset });
      if (written !== bytes.length) throw new DOMException("the disk is full", "QuotaExceededError");
    });
  }

  async text(file: string): Promise<string | undefined> {
    return this.open(file, false, (handle) => {
      const bytes = new Uint8Array(handle.getSize());
      handle.read(bytes, { at: 0 });
      return new TextDecoder().decode(bytes);
    });
  }

  async setText(file: string, text: string): Promise<void> {
    await this.open(file, true, (handle) => {
      handle.truncate(0);
      handle.write(new TextEncoder().encode(text), { at: 0 });
    });
  }

  async keepOnly(files: string[]): Promise<void> {
    const old: string[] = [];
    for await (const name of this.folder.keys()) if (!files.includes(name)) old.push(name);
    // A file that another tab is reading stays until the next time.
    for (const name of old) await this.folder.removeEntry(name).catch(() => undefined);
  }
}

/** The Cache API, one entry per chunk. */
class CacheStore implements Store {
  constructor(
    private readonly cache: Cache,
    private readonly folder: string,
  ) {}

  private key(file: string, offset: number): string {
    return new URL(`/${FOLDER}/${this.folder}/${file}/${offset}`, location.origin).href;
  }

  async get(file: string, offset: number, into: Uint8Array): Promise<boolean> {
    const found = await this.cache.match(this.key(file, offset));
    if (!found) return false;
    const bytes = new Uint8Array(await found.arrayBuffer());
    if (bytes.length !== into.length) return false;
    into.set(bytes);
    return true;
  }

  async has(file: string, offset: number): Promise<boolean> {
    return (await this.cache.match(this.key(file, offset))) !== undefined;
  }

  async put(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    await this.cache.put(this.key(file, offset), new Response(bytes as Uint8Array<ArrayBuffer>));
  }

  async text(file: string): Promise<string | undefined> {
    return (await this.cache.match(this.key(file, 0)))?.text();
  }

  async setText(file: string, text: string): Promise<void> {
    await this.cache.put(this.key(file, 0), new Response(text));
  }

  async keepOnly(files: string[]): Promise<void> {
    const prefix = `/${FOLDER}/${this.folder}/`;
    for (const request of await this.cache.keys()) {
      const { pathname } = new URL(request.url);
      const file = pathname.startsWith(prefix) ? pathname.slice(prefix.length).split("/")[0] : undefined;
      if (file !== undefined && !files.includes(file)) await this.cache.delete(request);
    }
  }
}

/** A folder on this machine, in Node. */
class FileStore implements Store {
  private constructor(private readonly folder: string) {}

  static async open(model: string, folder?: string): Promise<FileStore> {
    const { join } = await path();
    const base = folder ?? join(
      process.env.XDG_CACHE_HOME || join((await os()).homedir(), ".cache"),
      FOLDER,
    );
    const own = join(base, folderOf(model));
    await (await fs()).mkdir(own, { recursive: true });
    return new FileStore(own);
  }

  private async open<T>(
    file: string,
    flags: string,
    use: (handle: import("node:fs/promises").FileHandle) => Promise<T>,
  ): Promise<T | undefined> {
    const name = (await path()).join(this.folder, file);
    let handle;
    try {
      handle = await (await fs()).open(name, flags);
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return undefined;
      throw error;
    }
    try {
      return await use(handle);
    } finally {
      await handle.close();
    }
  }

  async get(file: string, offset: number, into: Uint8Array): Promise<boolean> {
    const read = async (handle: import("node:fs/promises").FileHandle) =>
      (await handle.read(into, 0, into.length, offset)).bytesRead === into.length;
    return (await this.open(file, "r", read)) ?? false;
  }

  async has(file: string, offset: number, length: number): Promise<boolean> {
    const found = await this.open(file, "r", async (h) => (await h.stat()).size >= offset + length);
    return found ?? false;
  }

  async put(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    const write = async (handle: import("node:fs/promises").FileHandle) => {
      await handle.write(bytes, 0, bytes.length, offset);
      return true;
    };
    // "r+" keeps what is there; it does not create.
    if (!(await this.open(file, "r+", write))) await this.open(file, "a", async () => true);
    else return;
    await this.open(file, "r+", write);
  }

  async text(file: string): Promise<string | undefined> {
    return this.open(file, "r", (handle) => handle.readFile("utf8"));
  }

  async setText(file: string, text: string): Promise<void> {
    await this.open(file, "w", (handle) => handle.writeFile(text).then(() => true));
  }

  async keepOnly(files: string[]): Promise<void> {
    const { readdir, rm } = await fs();
    const { join } = await path();
    for (const name of await readdir(this.folder)) {
      if (!files.includes(name)) await rm(join(this.folder, name), { force: true });
    }
  }
}

/** The warning that `what` (a plural) will be downloaded again. */
export function notKept(what: string, why: string, name = ""): ClipError {
  const full = name === "QuotaExceededError";
  return new ClipError(
    "storage",
    `the ${what} cannot be kept on this device (${full ? "its storage is full" : why}): they work now, ` +
      "and will be downloaded again at the next visit" +
      (full ? ". Free some space, or ask for more with navigator.storage.persist()" : ""),
  );
}

/** One tab at a time, where the platform can do that (Web Locks). */
export async function locked<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  // In a sandboxed frame there is nothing to keep, and asking for a lock fails.
  if (isNode || !navigator.locks || origin === "null") return work();
  return navigator.locks.request(`clip-everywhere ${name}`, { signal }, work) as Promise<T>;
}
