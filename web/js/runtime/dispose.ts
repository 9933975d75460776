/// <reference lib="esnext.disposable" preserve="true" />
// `using` and `await using`, where the platform has their symbols.

/** What ends a worker. */
export interface Ends {
  dispose(): void;
  /** Resolves when the worker has ended. */
  ended(): Promise<void>;
}

/** Gives a class `[Symbol.dispose]` and `[Symbol.asyncDispose]`. Safari has neither yet. */
export function disposable({ prototype }: { prototype: Ends }): void {
  const { dispose, asyncDispose } = Symbol as Partial<SymbolConstructor>;
  const define = (symbol: symbol | undefined, value: (this: Ends) => unknown) =>
    symbol && Object.defineProperty(prototype, symbol, { value, configurable: true, writable: true });
  define(dispose, function () {
    this.dispose();
  });
  define(asyncDispose, function () {
    this.dispose();
    return this.ended();
  });
}
