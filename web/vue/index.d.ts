import type { DefineComponent, EmitsOptions } from "vue";

import type { ClipSearchAttributes, ClipSearchEventMap } from "../dist/types/element/index.js";

export * from "../dist/types/element/index.js";

/** For `compilerOptions.isCustomElement`. */
export declare const isCustomElement: (tag: string) => boolean;

type Emits = { [name in keyof ClipSearchEventMap]: (event: ClipSearchEventMap[name]) => void } & EmitsOptions;

declare module "vue" {
  interface GlobalComponents {
    "clip-search": DefineComponent<ClipSearchAttributes, {}, {}, {}, {}, {}, {}, Emits>;
  }
}
