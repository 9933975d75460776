// What a visitor does with <clip-search>: keys, buttons, files, drops.

import type { View } from "./view.js";

/** Milliseconds without a key before what was typed is searched for. */
const TYPING = 200;

/** What the visitor wants. */
export interface Actions {
  search(text: string): void;
  searchPhoto(photo: Blob): void;
  /** Other filters were chosen. */
  filter(): void;
  /** Something will be searched for soon. */
  prepare(): void;
  /** No download. */
  cancel(): void;
  /** The download after all. */
  resume(): void;
  retry(): void;
}

/** Listens to the parts of `view`, and to `host`, which shows it. */
export class Controls {
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    host: HTMLElement,
    private readonly view: View,
    private readonly actions: Actions,
  ) {
    view.form.addEventListener("submit", (event) => {
      event.preventDefault();
      actions.search(view.query.value);
    });
    view.query.addEventListener("input", (event) => this.typed(event as InputEvent));
    for (const [button, input] of [[view.choose, view.file], [view.take, view.camera]] as const) {
      button.addEventListener("click", () => input.click());
      input.addEventListener("change", () => {
        const [file] = input.files ?? [];
        input.value = "";
        if (file) actions.searchPhoto(file);
      });
    }
    view.removePhoto.addEventListener("click", () => {
      actions.search("");
      view.query.focus();
    });
    view.filters.addEventListener("change", () => actions.filter());
    view.cancel.addEventListener("click", () => actions.cancel());
    view.resume.addEventListener("click", () => {
      actions.resume();
      view.query.focus();
    });
    view.retry.addEventListener("click", () => {
      actions.retry();
      view.query.focus();
    });
    host.addEventListener("focusin", () => {
      // Who saves data has it downloaded by a query only.
      const { connection } = navigator as { connection?: { saveData?: boolean } };
      if (!connection?.saveData) actions.prepare();
    });
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
  }

  private typed(event: InputEvent): void {
    this.forgetTyping();
    if (event.isComposing) return;
    const { query } = this.view;
    // Emptied with its own button.
    if (query.value === "") this.actions.search("");
    else this.timer = setTimeout(() => this.actions.search(query.value), TYPING);
  }

  /** A photo that was pasted or dropped. */
  private take(event: Event, data: DataTransfer | null): void {
    const photo = Array.from(data?.files ?? []).find(({ type }) => type.startsWith("image/"));
    const dropped = event.type === "drop" && data?.types.includes("Files");
    if (photo) this.actions.searchPhoto(photo);
    else if (dropped) this.view.fail(this.view.say("badPhoto"), false);
    if (photo || dropped) event.preventDefault();
  }
}
