/**
 * What waits in the browser for the server: kept until the server has it, sent in order by one tab at a time, tried
 * again when there is no answer. What is in it, and what becomes of it, is its two heirs' matter: save_queue.js and
 * answer_queue.js.
 */

import { MemoryLog } from "tektite/lib/save_log";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
// What another tab keeps is that tab's to send; but it may die, or lose the network alone.
const HELP_AFTER_MS = 10_000;

/** Emits "change" whenever what waits, or why, has changed. Its heirs have `drain()`: send until there is nothing. */
export class Outbox extends EventTarget {
  /**
   * @param {object} needs
   * @param {import("tektite/lib/save_log").SaveLog} needs.log
   * @param {import("tektite/lib/tabs").Tabs} needs.tabs The same person's on the same work.
   */
  constructor({ log, tabs }) {
    super();
    Object.assign(this, { log, tabs });
    /** @type {string} */
    this.state = "idle";
    /** @type {Error|null} What the last attempt said. */
    this.error = null;
    this.waitMs = FIRST_WAIT_MS;
    this.retryAt = 0;
    this.timer = 0;
    this.isSending = false;
    this.isWanted = false;
    /** As last seen in the log, in order. @type {{parked: object|null}[]} */
    this.saves = [];
    /** @type {Set<object>} On their way into the log. */
    this.writing = new Set();
  }

  /** Read what earlier pages and other tabs have kept. */
  async open() {
    await this.revise(() => ({}));
    this.announce();
  }

  /** @returns {object[]} That wait for the server. */
  get waiting() {
    return [...this.saves.filter((save) => !save.parked), ...this.writing];
  }

  /** @returns {object[]} That wait for a person. */
  get parked() {
    return this.saves.filter((save) => save.parked);
  }

  /** @returns {number} How many this page alone has: with it, they would be gone. */
  get unkept() {
    return this.writing.size + (this.log.isDurable ? 0 : this.saves.length);
  }

  /** Send what there is, now: after adding, coming online, signing in. */
  async resume() {
    this.isWanted = true;
    if (this.isSending) {
      return;
    }
    clearTimeout(this.timer);
    this.isSending = true;
    try {
      do {
        this.isWanted = false;
        await this.tabs.alone(() => this.drain());
      } while (this.isWanted || (this.state === "idle" && this.saves.some((save) => !save.parked)));
    } finally {
      this.isSending = false;
    }
  }

  /**
   * @param {object} wanted Is kept.
   * @param {Function} step That adds it.
   * @returns {Promise<any>} The step's answer.
   */
  async keep(wanted, step) {
    if (!this.log.isDurable && !this.saves.length) {
      // Nothing is at risk now; the database may have room again.
      this.log = this.log.behind;
    }
    this.writing.add(wanted);
    this.announce();
    const kept = await this.revise(step, "strict");
    this.writing.delete(wanted);
    return kept;
  }

  /** @param {Function} step @param {"strict"|"relaxed"} [durability] @returns {Promise<any>} The step's answer. */
  async revise(step, durability) {
    const { log } = this;
    let revised;
    try {
      revised = await log.revise(step, durability);
    } catch (error) {
      if (!log.isDurable) {
        throw error;
      }
      if (this.log === log) {
        this.log = new MemoryLog(this.saves, log);
      }
      revised = await this.log.revise(step);
    }
    this.saves = revised.saves;
    return revised.value;
  }

  /** The server has answered. */
  succeed() {
    this.error = null;
    this.waitMs = FIRST_WAIT_MS;
  }

  retryLater() {
    this.retryAt = performance.now() + this.waitMs;
    this.timer = setTimeout(() => this.resume(), this.waitMs);
    this.waitMs = Math.min(2 * this.waitMs, LONGEST_WAIT_MS);
    this.become("retrying");
  }

  /** Another tab has sent, or will; unless it dies. */
  helpLater() {
    if (!this.isSending) {
      clearTimeout(this.timer);
      if (this.waiting.length) {
        this.timer = setTimeout(() => this.resume(), HELP_AFTER_MS);
      } else {
        this.error = null;
        this.state = "idle";
      }
    }
    this.announce();
  }

  become(state) {
    this.state = state;
    this.announce();
  }

  announce() {
    this.dispatchEvent(new Event("change"));
  }

  /** @returns {Promise<void>} Until something has changed. */
  changed() {
    return new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));
  }
}
