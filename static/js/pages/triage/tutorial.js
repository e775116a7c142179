/** The cards of the tutorial, one after the other. */

import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";

export class Tutorial {
  constructor() {
    this.element = find("#tutorial");
    this.lessons = [...this.element.querySelectorAll("[data-lesson]")];
    this.number = 0;
    /** @type {() => void} */
    this.onDone = () => {};
    find("#lesson-next").addEventListener("click", () => this.#step(1));
    find("#lesson-back").addEventListener("click", () => this.#step(-1));
    find("#lesson-skip").addEventListener("click", () => this.onDone());
  }

  /** @param {{last: string, onDone: () => void}} needs What the last card's button says, and leads to. */
  begin({ last, onDone }) {
    Object.assign(this, { number: 0, last, onDone });
    this.#show();
  }

  #step(by) {
    if (this.number + by >= this.lessons.length) {
      this.onDone();
      return;
    }
    this.number = Math.max(0, this.number + by);
    this.#show();
  }

  #show() {
    this.lessons.forEach((lesson, number) => {
      lesson.hidden = number !== this.number;
    });
    const values = { n: this.number + 1, of: this.lessons.length };
    find("#lesson-number").textContent = interpolate(gettext("%(n)s of %(of)s"), values);
    find("#lesson-back").disabled = this.number === 0;
    const next = find("#lesson-next");
    next.textContent = this.number === this.lessons.length - 1 ? this.last : gettext("Next");
    next.focus({ preventScroll: true });
    this.element.scrollTop = 0;
  }
}
