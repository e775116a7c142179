/** Which tool is in hand, and the buttons for tools, undo and redo. */

import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";

/** Emits "change" when another tool is taken. */
export class Toolbar extends EventTarget {
  /**
   * @param {object} needs
   * @param {import("tektite/map/grid_map").GridMap} needs.map
   * @param {import("tektite/draw/pointers").Tool[]} needs.tools
   * @param {import("tektite/lib/commands").CommandStack} needs.commands
   * @param {(text: string) => void} needs.say
   */
  constructor({ map, tools, commands, say }) {
    super();
    Object.assign(this, { map, tools, commands, say });
    this.buttons = [...document.querySelectorAll("[data-tool]")];
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.take(button.dataset.tool, true));
    }
    this.#button("#undo", () => this.undo(), () => commands.done.length > 0);
    this.#button("#redo", () => this.redo(), () => commands.undone.length > 0);
    for (const button of document.querySelectorAll("[data-zoom]")) {
      const steps = Number(button.dataset.zoom);
      if (steps) {
        button.addEventListener("click", () => map.zoomBy(steps));
      }
    }
    this.take("circle");
  }

  /** @param {string} name @param {boolean} [isPressed] By a button, not a key. */
  take(name, isPressed = false) {
    this.tool?.cancel();
    this.tool = this.tools.find((tool) => tool.name === name);
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === name));
    }
    this.map.element.dataset.tool = name;
    if (isPressed) {
      this.map.element.focus({ preventScroll: true });
    }
    this.dispatchEvent(new Event("change"));
  }

  /** @returns {boolean} Whether there was anything to undo. */
  undo() {
    return this.#tell(this.commands.undo(), gettext("Undone: %(what)s"));
  }

  redo() {
    return this.#tell(this.commands.redo(), gettext("Done again: %(what)s"));
  }

  #tell(command, text) {
    if (command) {
      this.say(interpolate(text, { what: command.label }));
    }
    return command !== null;
  }

  #button(selector, run, isPossible) {
    const button = find(selector);
    const update = () => button.setAttribute("aria-disabled", String(!isPossible()));
    button.addEventListener("click", run);
    this.commands.addEventListener("change", update);
    update();
  }
}
