/**
 * What was answered and is not yet stored: kept in the browser's database until the server has it, sent in order by
 * one tab at a time, tried again when there is no answer, and never dropped in silence.
 *
 * An answer repeats its uid each time it is sent, so the server counts it once, whichever tab or page sends it again.
 *
 * @typedef {import("tektite/lib/answer_steps").Answer} Answer
 * @typedef {import("tektite/lib/answer_steps").Step} Step
 *
 * States: retrying waits for a connection, or for a server that stumbles; stopped waits for a person who signs in,
 * agrees or joins.
 *
 * @typedef {"idle"|"sending"|"retrying"|"stopped"} QueueState
 */

import * as steps from "tektite/lib/answer_steps";
import { MemoryLog } from "tektite/lib/save_log";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
// What another tab keeps is that tab's to send; but it may die, or lose the network alone.
const HELP_AFTER_MS = 10_000;
// Of who asks, not of the one answer: the others would fare no better.
const OF_THE_PERSON = new Set(["other_person", "consent"]);

/** Emits "change" whenever what waits, or why, has changed. */
export class AnswerQueue extends EventTarget {
  /**
   * @param {object} needs
   * @param {import("tektite/lib/save_log").SaveLog} needs.log
   * @param {(answer: Answer) => Promise<object>} needs.send Answers with what the server said, or throws an ApiError.
   * @param {import("tektite/lib/tabs").Tabs} needs.tabs The same person's at the same work.
   * @param {(answer: Answer, said: object, isFromHere: boolean) => void} needs.onTaken The server has it; sent from
   *   here or from another tab.
   * @param {(answer: Answer, error: Error, isKept: boolean) => void} needs.onRefused Not kept: the server holds another
   *   that stands. Kept: it is no answer as it is, and waits for a person.
   */
  constructor({ log, send, tabs, onTaken, onRefused }) {
    super();
    Object.assign(this, { log, send, tabs, onTaken, onRefused });
    /** @type {QueueState} */
    this.state = "idle";
    /** @type {Error|null} What the last attempt said. */
    this.error = null;
    this.waitMs = FIRST_WAIT_MS;
    this.timer = 0;
    this.isSending = false;
    this.isWanted = false;
    /** @type {Answer[]} As last seen in the log, in order. */
    this.answers = [];
    /** @type {Set<object>} On their way into the log. */
    this.writing = new Set();
    tabs.onMessage((message) => this.#hear(message));
  }

  /** Read what earlier pages and other tabs have kept. */
  async open() {
    await this.#revise(steps.look);
    this.#announce();
  }

  /** @returns {Pick<Answer, "id"|"uid"|"showing">[]} That wait for the server. */
  get waiting() {
    return [...this.answers.filter((answer) => !answer.parked), ...this.writing];
  }

  /** @returns {Answer[]} That wait for a person. */
  get parked() {
    return this.answers.filter((answer) => answer.parked);
  }

  /** @returns {number} How many this page alone has: with it, they would be gone. */
  get unkept() {
    return this.writing.size + (this.log.isDurable ? 0 : this.answers.length);
  }

  /** @param {Pick<Answer, "id"|"uid"|"showing"|"answer"|"marks"|"duration_ms">} given */
  async add(given) {
    if (!this.log.isDurable && !this.answers.length) {
      // Nothing is at risk now; the database may have room again.
      this.log = this.log.behind;
    }
    this.writing.add(given);
    this.#announce();
    await this.#revise(steps.add(given), "strict");
    this.writing.delete(given);
    this.tabs.post({ type: "added" });
    this.#announce();
    this.resume();
  }

  /** @param {string} uid @returns {Promise<boolean>} Whether it is gone before the server could have it. */
  async withdraw(uid) {
    while ([...this.writing].some((given) => given.uid === uid)) {
      await this.#change();
    }
    const isGone = await this.#revise(steps.withdraw(uid), "strict");
    this.tabs.post({ type: "withdrawn" });
    this.#announce();
    return isGone;
  }

  /** @returns {Promise<boolean>} Whether everything is with the server; false as soon as that has to wait. */
  async settled() {
    while (this.waiting.length && !["retrying", "stopped"].includes(this.state)) {
      await this.#change();
    }
    return !this.waiting.length;
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
      while (this.isWanted) {
        this.isWanted = false;
        await this.tabs.alone(() => this.#drain());
      }
    } finally {
      this.isSending = false;
    }
  }

  /** Try again what the server did not take. */
  async retryParked() {
    await this.#revise(steps.unpark);
    await this.resume();
  }

  /** Give up what the server did not take; only ever on somebody's word. */
  async discardParked() {
    await this.#revise(steps.discard);
    this.tabs.post({ type: "discarded" });
    this.#announce();
  }

  async #drain() {
    for (let answer = await this.#revise(steps.take); answer; answer = await this.#revise(steps.take)) {
      this.#become("sending");
      let said;
      try {
        said = await this.send(answer);
      } catch (error) {
        if (!(await this.#overcome(answer, error))) {
          return;
        }
        continue;
      }
      await this.#finish(answer);
      this.tabs.post({ type: "taken", answer, said });
      this.onTaken(answer, said, true);
    }
    this.#become("idle");
  }

  /** @returns {Promise<boolean>} Whether to go on with the next one at once. */
  async #overcome(answer, error) {
    if (error.status === undefined) {
      throw error;
    }
    this.error = error;
    if (error.isPassing) {
      this.#retryLater();
      return false;
    }
    if ([401, 403].includes(error.status) || OF_THE_PERSON.has(error.code)) {
      this.#become("stopped");
      return false;
    }
    if (error.status === 409) {
      await this.#finish(answer);
      this.onRefused(answer, error, false);
      return true;
    }
    await this.#revise(steps.park(answer.uid, { code: error.code, message: error.message }), "strict");
    this.#announce();
    this.onRefused(answer, error, true);
    return true;
  }

  async #finish(answer) {
    await this.#revise(steps.finish(answer.uid));
    this.error = null;
    this.waitMs = FIRST_WAIT_MS;
    this.#announce();
  }

  #retryLater() {
    this.timer = setTimeout(() => this.resume(), this.waitMs);
    this.waitMs = Math.min(2 * this.waitMs, LONGEST_WAIT_MS);
    this.#become("retrying");
  }

  /** What another tab has done to the answers that both share. */
  async #hear({ type, answer, said }) {
    await this.#revise(type === "taken" && !this.log.isDurable ? steps.finish(answer.uid) : steps.look);
    if (type === "taken") {
      this.onTaken(answer, said, false);
    }
    if (!this.isSending) {
      clearTimeout(this.timer);
      if (this.waiting.length) {
        this.timer = setTimeout(() => this.resume(), HELP_AFTER_MS);
      } else {
        this.error = null;
        this.state = "idle";
      }
    }
    this.#announce();
  }

  /** @param {Step} step @param {"strict"|"relaxed"} [durability] @returns {Promise<any>} The step's answer. */
  async #revise(step, durability) {
    const { log } = this;
    let revised;
    try {
      revised = await log.revise(step, durability);
    } catch (error) {
      if (!log.isDurable) {
        throw error;
      }
      if (this.log === log) {
        this.log = new MemoryLog(this.answers, log);
      }
      revised = await this.log.revise(step);
    }
    this.answers = revised.saves;
    return revised.value;
  }

  #become(state) {
    this.state = state;
    this.#announce();
  }

  #announce() {
    this.dispatchEvent(new Event("change"));
  }

  #change() {
    return new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));
  }
}
