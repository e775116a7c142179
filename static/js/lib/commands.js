/** Undo and redo of everything: a stack of commands, each of which can do and undo itself. */

/**
 * @typedef {object} Command
 * @property {string} label What was done, for the read-out.
 * @property {string} subject The uid of what it changes.
 * @property {() => void} apply
 * @property {() => void} revert
 * @property {(next: Command) => boolean} [absorb] Take a following small step into this one; true if taken.
 */

/** Emits "change" whenever what could be undone or redone has changed. */
export class CommandStack extends EventTarget {
  /** @param {number} [limit] Steps kept. */
  constructor(limit = 200) {
    super();
    this.limit = limit;
    /** @type {Command[]} */
    this.done = [];
    /** @type {Command[]} */
    this.undone = [];
  }

  /** @param {Command} command Is applied. */
  run(command) {
    command.apply();
    this.undone = [];
    if (!this.done.at(-1)?.absorb?.(command)) {
      this.done.push(command);
      this.done.splice(0, this.done.length - this.limit);
    }
    this.#changed();
  }

  /** @returns {Command|null} What was undone. */
  undo() {
    return this.#step(this.done, this.undone, (command) => command.revert());
  }

  /** @returns {Command|null} What was done again. */
  redo() {
    return this.#step(this.undone, this.done, (command) => command.apply());
  }

  /** @param {string} [subject] Forget what concerns this alone, or everything. */
  forget(subject) {
    const kept = (command) => subject !== undefined && command.subject !== subject;
    this.done = this.done.filter(kept);
    this.undone = this.undone.filter(kept);
    this.#changed();
  }

  #step(from, to, act) {
    const command = from.pop() ?? null;
    if (command) {
      act(command);
      to.push(command);
      this.#changed();
    }
    return command;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
