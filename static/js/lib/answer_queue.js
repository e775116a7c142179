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
import { Outbox } from "tektite/lib/outbox";

// Of who asks, not of the one answer: the others would fare no better.
const OF_THE_PERSON = new Set(["other_person", "consent"]);

/** Emits "change" whenever what waits, or why, has changed. */
export class AnswerQueue extends Outbox {
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
    super({ log, tabs });
    Object.assign(this, { send, onTaken, onRefused });
    tabs.onMessage((message) => this.#hear(message));
  }

  /** @param {Pick<Answer, "id"|"uid"|"showing"|"answer"|"marks"|"duration_ms">} given */
  async add(given) {
    await this.keep(given, steps.add(given));
    this.tabs.post({ type: "added" });
    this.announce();
    this.resume();
  }

  /** @param {string} uid @returns {Promise<boolean>} Whether it is gone before the server could have it. */
  async withdraw(uid) {
    while ([...this.writing].some((given) => given.uid === uid)) {
      await this.changed();
    }
    const isGone = await this.revise(steps.withdraw(uid), "strict");
    this.tabs.post({ type: "withdrawn" });
    this.announce();
    return isGone;
  }

  /** @returns {Promise<boolean>} Whether everything is with the server; false as soon as that has to wait. */
  async settled() {
    while (this.waiting.length && !["retrying", "stopped"].includes(this.state)) {
      await this.changed();
    }
    return !this.waiting.length;
  }

  /** Try again what the server did not take. */
  async retryParked() {
    await this.revise(steps.unpark);
    await this.resume();
  }

  /** Give up what the server did not take; only ever on somebody's word. */
  async discardParked() {
    await this.revise(steps.discard);
    this.tabs.post({ type: "discarded" });
    this.announce();
  }

  async drain() {
    for (let answer = await this.revise(steps.take); answer; answer = await this.revise(steps.take)) {
      this.become("sending");
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
    this.become("idle");
  }

  /** @returns {Promise<boolean>} Whether to go on with the next one at once. */
  async #overcome(answer, error) {
    if (error.status === undefined) {
      throw error;
    }
    this.error = error;
    if (error.isPassing) {
      this.retryLater();
      return false;
    }
    if ([401, 403].includes(error.status) || OF_THE_PERSON.has(error.code)) {
      this.become("stopped");
      return false;
    }
    if (error.status === 409) {
      await this.#finish(answer);
      this.onRefused(answer, error, false);
      return true;
    }
    await this.revise(steps.park(answer.uid, { code: error.code, message: error.message }), "strict");
    this.announce();
    this.onRefused(answer, error, true);
    return true;
  }

  async #finish(answer) {
    await this.revise(steps.finish(answer.uid));
    this.succeed();
    this.announce();
  }

  /** What another tab has done to the answers that both share. */
  async #hear({ type, answer, said }) {
    await this.revise(type === "taken" && !this.log.isDurable ? steps.finish(answer.uid) : steps.look);
    if (type === "taken") {
      this.onTaken(answer, said, false);
    }
    this.helpLater();
  }
}
