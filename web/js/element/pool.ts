// What several elements of a page use together: started by the first, ended after the last.

/** Milliseconds that a thing without users is kept: they may be on their way to another place. */
const LINGER = 3000;

interface Held<T, P> {
  users: Set<Lease<T, P>>;
  value: Promise<T>;
  ready: T | undefined;
  progress: P | undefined;
  controller: AbortController;
  ended: boolean;
  timer?: ReturnType<typeof setTimeout>;
}

/** One user's hold on a thing. */
export interface Lease<T, P> {
  readonly value: Promise<T>;
  /** The thing, when it is there. */
  readonly ready: T | undefined;
  onProgress: ((progress: P) => void) | undefined;
  /** Gives it back. The last one to do so ends it: at once if `now`, which also stops its start. */
  release(now?: boolean): void;
  /** It has gone bad: who takes it from now on gets a new one. Those who have it keep it. */
  forget(): void;
}

/** Things by their keys. */
export class Pool<T, P> {
  private readonly held = new Map<string, Held<T, P>>();

  constructor(private readonly dispose: (value: T) => void) {}

  /** The thing with that key, which `start` starts if nobody has; a start that failed is forgotten. */
  take(
    key: string,
    start: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>,
    onProgress?: (progress: P) => void,
  ): Lease<T, P> {
    const held = this.held.get(key) ?? this.start(key, start);
    clearTimeout(held.timer);
    const lease: Lease<T, P> = {
      value: held.value,
      get ready() {
        return held.ready;
      },
      onProgress,
      release: (now = false) => {
        if (!held.users.delete(lease) || held.users.size > 0) return;
        const end = () => this.end(key, held);
        if (now) end();
        else held.timer = setTimeout(end, LINGER);
      },
      forget: () => {
        if (this.held.get(key) === held) this.held.delete(key);
      },
    };
    held.users.add(lease);
    if (held.progress !== undefined && held.ready === undefined) onProgress?.(held.progress);
    return lease;
  }

  private start(
    key: string,
    start: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>,
  ): Held<T, P> {
    const controller = new AbortController();
    const held: Held<T, P> = {
      users: new Set(), value: undefined!, ready: undefined, progress: undefined, controller, ended: false,
    };
    this.held.set(key, held);
    held.value = start(controller.signal, (progress) => {
      held.progress = progress;
      for (const { onProgress } of held.users) onProgress?.(progress);
    });
    held.value.then(
      (value) => {
        if (!held.ended) held.ready = value;
        else this.dispose(value);
      },
      () => this.held.get(key) === held && this.held.delete(key),
    );
    return held;
  }

  private end(key: string, held: Held<T, P>): void {
    if (held.ended) return;
    held.ended = true;
    if (this.held.get(key) === held) this.held.delete(key);
    if (held.ready === undefined) held.controller.abort();
    else this.dispose(held.ready);
  }
}
