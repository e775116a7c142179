/** The dialog in which somebody whose session has ended signs in again, over what they were doing. */

import { find } from "tektite/lib/dom";
import { signIn } from "tektite/lib/sign_in";

/** Emits "change" when a sign-in has become needed, or was done. */
export class SignInDialog extends EventTarget {
  constructor() {
    super();
    /** Whether the server has asked for one. */
    this.isNeeded = false;
    this.dialog = find("#signin-dialog");
    this.form = find("form", this.dialog);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    find("[data-close]", this.dialog).addEventListener("click", () => this.dialog.close());
  }

  /** The server has answered that nobody is signed in. */
  need() {
    this.isNeeded = true;
    this.dispatchEvent(new Event("change"));
  }

  /** The server has answered this person, who may have signed in in another tab. */
  settle() {
    if (this.isNeeded) {
      this.isNeeded = false;
      this.dialog.close();
      this.dispatchEvent(new Event("change"));
    }
  }

  /** @returns {Promise<boolean>} Whether somebody has signed in. */
  ask() {
    this.need();
    if (!this.dialog.open) {
      this.#say("");
      this.dialog.showModal();
      this.form.elements.password.focus();
    }
    return new Promise((resolve) => {
      this.dialog.addEventListener("close", () => resolve(!this.isNeeded), { once: true });
    });
  }

  /**
   * @param {() => Promise<void>} work Is done, and where nobody is signed in any more, done again after the sign-in.
   */
  async around(work) {
    try {
      await work();
    } catch (error) {
      if (error.status !== 401 || !(await this.ask())) {
        throw error;
      }
      await work();
    }
  }

  async #send() {
    const button = find("[type=submit]", this.form);
    button.disabled = true;
    this.#say("");
    try {
      await signIn(this.form.action, new URLSearchParams(new FormData(this.form)));
      this.form.elements.password.value = "";
      this.settle();
    } catch (error) {
      this.#say(error.message);
      this.form.elements.password.focus();
    } finally {
      button.disabled = false;
    }
  }

  #say(text) {
    const error = find(".notice", this.dialog);
    error.textContent = text;
    error.hidden = !text;
  }
}
