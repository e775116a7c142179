/**
 * What was drawn and is not yet stored: kept in the browser's database until the server has it, sent in order by one
 * tab at a time, tried again when there is no answer, and never dropped in silence.
 *
 * A hazard, and why it is none here:
 *   1. A save is sent, the server stores it, and the answer is lost on the way, or the tab dies.
 *   2. The same save is sent again, by this page or another. Drawing repeats its uid, so the server answers with the
 *      mark it has.
 *   3. A change repeats its old version, so the server answers 409 with the mark as it is now.
 *   4. That mark is already what the change asked for: the save is done, and nobody is asked anything.
 *
 * @typedef {import("tektite/lib/save_steps").Save} Save
 * @typedef {import("tektite/lib/save_steps").Step} Step
 *
 * States: signed_out and other_person wait for a sign-in. What the server refuses for a reason of the person, the tile
 * or the lease (403, 404, 409 without a mark), or of the shape (400), is parked and waits for a word of the person;
 * the rest goes on.
 *
 * @typedef {"idle"|"saving"|"retrying"|"signed_out"|"other_person"|"choosing"} QueueState
 */

import { Outbox } from "tektite/lib/outbox";
import * as steps from "tektite/lib/save_steps";

// About one mark, not about its tile.
const OF_THE_MARK = new Set([400, 413, 422]);

/** Emits "change" (its state), "saved" when the server took one, and tells its handlers what became of each. */
export class SaveQueue extends Outbox {
  /**
   * @param {object} needs
   * @param {import("tektite/lib/save_log").SaveLog} needs.log
   * @param {(save: Save) => Promise<Record<string, unknown>>} needs.send Answers with the mark as stored, or throws
   *   an ApiError.
   * @param {import("tektite/lib/tabs").Tabs} needs.tabs The same person's on the same campaign.
   * @param {(save: Save, mark: object) => void} needs.onSaved Here or in another tab.
   * @param {(save: Save) => void} needs.onAdded In another tab.
   * @param {(saves: Save[]) => void} needs.onParked Not taken by the server; here or in another tab.
   * @param {(save: Save, current: object) => Promise<"mine"|"theirs"|"later">} needs.onConflict
   * @param {(mark: object) => void} needs.onTheirs
   */
  constructor({ log, send, tabs, onSaved, onAdded, onParked, onConflict, onTheirs }) {
    super({ log, tabs });
    Object.assign(this, { send, onSaved, onAdded, onParked, onConflict, onTheirs });
    /** @type {number|null} By the server's clock. */
    this.lastSavedAt = null;
    /** @type {Map<string, number>} The newest version of each mark that was heard of here. */
    this.versions = new Map();
    tabs.onMessage((message) => this.#hear(message));
  }

  /**
   * @param {Pick<Save, "visit"|"tile"|"mark"|"kind"|"body"|"shape"|"base">} wanted
   * @returns {Promise<boolean>} Once it is kept: whether it would outlive this page.
   */
  async add(wanted) {
    const save = await this.keep(wanted, steps.add(wanted, () => this.versions.get(wanted.mark) ?? 0));
    this.tabs.post({ type: "added", save });
    this.announce();
    if (!this.isSending) {
      this.resume();
    }
    return this.log.isDurable;
  }

  /** @param {string} visit @returns {Save[]} */
  pendingOf(visit) {
    return this.waiting.filter((save) => save.visit === visit);
  }

  /** @param {string} visit @returns {Promise<void>} Resolves when nothing of it waits for the server. */
  async settled(visit) {
    while (this.pendingOf(visit).length) {
      await this.changed();
    }
  }

  /** Try again what the server did not take. */
  async retryParked() {
    const saves = await this.revise(steps.unpark);
    saves.forEach((save) => this.onAdded(save));
    this.tabs.post({ type: "unparked", saves });
    this.announce();
    await this.resume();
  }

  /** Give up what the server did not take; only ever on somebody's word. */
  async discardParked() {
    await this.revise(steps.discard);
    this.tabs.post({ type: "discarded" });
    this.announce();
  }

  /** The browser has lost its database, but this page still knows what was in it. */
  async keepAgain() {
    const known = this.saves;
    await this.revise((saves) => {
      const there = new Set(saves.map(({ id }) => id));
      return { put: known.filter(({ id }) => !there.has(id)).map(({ seq: _lost, ...save }) => save) };
    }, "strict");
    this.resume();
  }

  async drain() {
    for (let save = await this.revise(steps.take); save; save = await this.revise(steps.take)) {
      this.become("saving");
      try {
        await this.#finish(save, await this.send(save));
      } catch (error) {
        if (!(await this.#overcome(save, error))) {
          return;
        }
      }
    }
    this.become("idle");
  }

  /** @returns {Promise<boolean>} Whether to go on with the queue at once. */
  async #overcome(save, error) {
    if (error.status === 409 && error.current) {
      return this.#settleConflict(save, error.current);
    }
    this.error = error;
    if (error.isPassing || error.status === undefined) {
      this.retryLater();
    } else if (error.status === 401) {
      this.become("signed_out");
    } else if (error.code === "other_person") {
      this.become("other_person");
    } else {
      await this.#park(save, error);
      return true;
    }
    return false;
  }

  async #settleConflict(save, current) {
    if (steps.isDone(save, current)) {
      await this.#finish(save, current);
      return true;
    }
    this.become("choosing");
    const choice = await this.onConflict(save, current);
    if (choice === "later") {
      this.retryLater();
      return false;
    }
    this.versions.set(save.mark, current.version);
    if (choice === "mine") {
      await this.revise(steps.putOnTop(save, current));
      return true;
    }
    await this.revise(steps.forgetMark(save.mark));
    this.onTheirs(current);
    this.tabs.post({ type: "theirs", mark: current });
    return true;
  }

  async #finish(save, mark) {
    // Before anything is awaited: what is added from now on starts from this version.
    this.versions.set(save.mark, mark.version);
    await this.revise(steps.finish(save, mark.version));
    this.succeed();
    this.#tellSaved(save, mark);
    this.tabs.post({ type: "saved", save, mark });
    this.announce();
  }

  #tellSaved(save, mark) {
    const storedAt = Date.parse(mark.updated_at);
    this.lastSavedAt = Math.max(this.lastSavedAt ?? 0, Number.isFinite(storedAt) ? storedAt : 0) || null;
    this.onSaved(save, mark);
    this.dispatchEvent(new Event("saved"));
  }

  async #park(save, error) {
    const isOfTheMark = OF_THE_MARK.has(error.status) || error.code === "uid_taken";
    const isMeant = (other) => (isOfTheMark ? other.mark === save.mark : other.visit === save.visit);
    const saves = await this.revise(steps.park(isMeant, { code: error.code, message: error.message }), "strict");
    this.error = null;
    this.onParked(saves);
    this.tabs.post({ type: "parked", saves });
    this.announce();
  }

  /** What another tab has done to the saves that both share. */
  async #hear({ type, save, saves, mark }) {
    if (mark) {
      this.versions.set(mark.uid, mark.version);
    }
    // What this page alone remembers has to be told what the others see in the database.
    const isNews = type === "saved" && !this.log.isDurable;
    await this.revise(isNews ? steps.finish(save, mark.version) : steps.look);
    if (type === "saved") {
      this.#tellSaved(save, mark);
    } else if (type === "added") {
      this.onAdded(save);
    } else if (type === "unparked") {
      saves.forEach((one) => this.onAdded(one));
    } else if (type === "parked") {
      this.onParked(saves);
    } else if (type === "theirs") {
      this.onTheirs(mark);
    }
    this.helpLater();
  }
}
