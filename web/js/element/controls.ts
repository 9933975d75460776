// What a visitor does with <clip-search>: keys, buttons, files, drops.

import type { View } from "./view.js";

/**
 * Milliseconds without a key, while a text is composed, before it is searched for. Some keyboards of
 * phones compose every word and never say that it is done; who writes Chinese or Japanese is given time.
 */
const COMPOSING = 600;

/** What the visitor wants. */
export interface Actions {
  /** Words were typed; `done` with Enter or the button. */
  search(text: string, done: boolean): void;
  searchPhoto(photo: Blob): void;
  /** The photo, or the product that others are like, is taken away. */
  removeAbout(): void;
  /** Something will be searched for soon, or may be. */
  prepare(what: "all" | "words"): void;
  /** What was stopped, or has failed, once more. */
  resume(): void;
  retry(): void;
  more(): void;
  /** Milliseconds without a key before what was typed is searched for. */
  debounce(): number;
  /**
   * Whether words alone answer, which costs next to nothing: then the first key waits for no longer than
   * one pause.
   */
  isCheap(): boolean;
}

/** Listens to the parts of `view`, and to `host`, which shows it. */
export class Controls {
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    host: HTMLElement,
    private readonly view: View,
    private readonly actions: Actions,
  ) {
    const { box } = view;
    box.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.forgetTyping();
      actions.search(box.query.value, true);
    });
    box.query.addEventListener("input", (event) => this.typed((event as InputEvent).isComposing));
    box.query.addEventListener("compositionend", () => this.typed(false));
    for (const [button, input] of [[box.choose, box.file], [box.take, box.camera]] as const) {
      button.addEventListener("click", () => input.click());
      input.addEventListener("change", () => {
        const [file] = input.files ?? [];
        input.value = "";
        if (file) actions.searchPhoto(file);
      });
    }
    const focusing = (act: () => void) => () => {
      act();
      box.query.focus();
    };
    view.removeAbout.addEventListener("click", focusing(() => actions.removeAbout()));
    view.offer.addEventListener("click", focusing(() => actions.resume()));
    view.retry.addEventListener("click", focusing(() => actions.retry()));
    view.more.addEventListener("click", () => actions.more());
    host.addEventListener("focusin", () => actions.prepare("all"));
    // A while before the click.
    host.addEventListener("pointerenter", () => actions.prepare("words"));
    host.addEventListener("paste", (event) => this.take(event, event.clipboardData));
    host.addEventListener("drop", (event) => {
      view.showDrop(false);
      this.take(event, event.dataTransfer);
    });
    for (const name of ["dragenter", "dragover"] as const) {
      host.addEventListener(name, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        view.showDrop(true);
      });
    }
    host.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget || !host.contains(event.relatedTarget as Node)) view.showDrop(false);
    });
  }

  /** What was typed so far is not searched for. */
  forgetTyping(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private typed(composing: boolean): void {
    const { query } = this.view.box;
    const cheap = !composing && this.actions.isCheap();
    if (cheap && this.timer !== undefined && query.value !== "") return;
    this.forgetTyping();
    const search = () => {
      this.timer = undefined;
      this.actions.search(query.value, false);
    };
    const pause = this.actions.debounce();
    // Emptied with its own button.
    if (query.value === "") search();
    else this.timer = setTimeout(search, composing ? Math.max(pause, COMPOSING) : pause);
  }

  /** A photo that was pasted or dropped. */
  private take(event: Event, data: DataTransfer | null): void {
    // Cells of a spreadsheet come as words, and as a picture of themselves.
    if (event.type === "paste" && data?.getData("text/plain")) return;
    const photo = Array.from(data?.files ?? []).find(({ type }) => type.startsWith("image/"));
    const dropped = event.type === "drop" && data?.types.includes("Files");
    if (photo) this.actions.searchPhoto(photo);
    else if (dropped) this.view.complain();
    if (photo || dropped) event.preventDefault();
  }
}
