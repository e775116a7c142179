/** One visit after another: searching, submitting, giving back, and undoing a submission. */

import { ask } from "tektite/lib/api";
import { gettext, interpolate, ngettext } from "tektite/lib/i18n";
import { toast } from "tektite/lib/toasts";
import { fillUrl } from "tektite/lib/urls";

/**
 * @typedef {object} Visit
 * @property {string} uid
 * @property {"leased"|"submitted"|"returned"} state
 * @property {string} lease_expires_at
 * @property {{uid: string, number: number, of: number, x_px: number, y_px: number, width_px: number,
 *   height_px: number, overlap_px: number}} tile
 * @property {import("tektite/draw/marks").Mark[]} marks
 *
 * @typedef {{tiles_settled: number, tiles: number, my_visits: number}} Progress
 */

const ELSEWHERE = {
  submitted: gettext("Tile %(number)s was submitted in another tab."),
  returned: gettext("Tile %(number)s was given back in another tab."),
  reopened: gettext("Tile %(number)s was reopened in another tab."),
};

/** Emits "visit" when another tile (or none) is on screen, "change" on everything else worth showing. */
export class Session extends EventTarget {
  /**
   * @param {object} needs
   * @param {{visit: Visit|null, reason: string|null, progress: Progress, urls: Record<string, string>}} needs.config
   * @param {import("tektite/lib/save_queue").SaveQueue} needs.queue
   * @param {import("tektite/draw/marks").Marks} needs.marks
   * @param {import("tektite/lib/commands").CommandStack} needs.commands
   * @param {import("tektite/draw/editor").Editor} needs.editor
   * @param {import("tektite/pages/sign_in").SignInDialog} needs.signIn
   * @param {import("tektite/lib/tabs").Tabs} needs.tabs The person's others on this campaign.
   */
  constructor({ config, queue, marks, commands, editor, signIn, tabs }) {
    super();
    Object.assign(this, { config, urls: config.urls, queue, marks, commands, editor, signIn, tabs });
    /** @type {Visit|null} */
    this.visit = null;
    /** @type {Visit|null} The one submitted last, which can be reopened. */
    this.submitted = null;
    this.reason = config.reason;
    this.progress = config.progress;
    this.isBusy = false;
    /** @type {HTMLElement|null} The toast that offers to undo the last submission. */
    this.told = null;
    tabs.onMessage((message) => this.#hear(message));
  }

  start() {
    this.#enter(this.config.visit);
  }

  /** "Searched, next": waits until every mark is stored, says so to the server, and goes on. */
  submit() {
    return this.#busy(async () => {
      const { visit } = this;
      if (!visit) {
        return;
      }
      await this.queue.settled(visit.uid);
      const count = this.marks.standing().length;
      const answer = await ask("POST", fillUrl(this.urls.submit, visit), { empty: count === 0 });
      this.submitted = answer.submitted;
      this.#tell(visit, "submitted");
      this.#goOn({ ...answer, visit: answer.next });
      this.told?.remove();
      this.told = toast(submittedText(visit.tile.number, count), {
        action: { label: gettext("Undo"), run: () => this.reopen(visit) },
      });
    });
  }

  /**
   * @param {string} why
   * @param {string|null} [leaveTo] Where to go instead of to the next tile.
   */
  skip(why, leaveTo = null) {
    return this.#busy(async () => {
      const { visit } = this;
      await this.queue.settled(visit.uid);
      await ask("POST", fillUrl(this.urls.return, visit), { reason: why });
      this.#tell(visit, "returned");
      if (leaveTo) {
        globalThis.location.assign(leaveTo);
        return;
      }
      toast(interpolate(gettext("Tile %(number)s given back"), visit.tile));
      this.#goOn(await ask("POST", this.urls.next));
    });
  }

  /** Ask for a tile where there was none. */
  lookAgain() {
    return this.#busy(async () => this.#goOn(await ask("POST", this.urls.next)));
  }

  /** @param {Visit} visit Submitted before. */
  reopen(visit) {
    return this.#busy(async () => {
      if (this.visit) {
        await this.queue.settled(this.visit.uid);
      }
      const reopened = await ask("POST", fillUrl(this.urls.reopen, visit));
      this.submitted = null;
      this.#tell(visit, "reopened");
      this.progress = { ...this.progress, my_visits: this.progress.my_visits - 1 };
      this.#enter(reopened);
    });
  }

  /** @param {Visit} visit The same one with a longer lease. */
  renew(visit) {
    this.signIn.settle();
    if (visit.uid === this.visit?.uid) {
      this.visit = { ...this.visit, lease_expires_at: visit.lease_expires_at };
      this.#emit("change");
    }
  }

  /** The tile on screen is no longer ours to write to, which was said already. */
  closed() {
    return this.#busy(() => this.#leave());
  }

  /** @param {Error} error What the server said when it was asked about the visit on screen. */
  trouble(error) {
    return this.#busy(() => Promise.reject(error));
  }

  /** Other tabs of the same person show the same tile. */
  #tell({ uid, tile }, what) {
    this.tabs.post({ uid, what, number: tile.number });
  }

  #hear({ uid, what, number }) {
    if (what === "reopened" || uid === this.visit?.uid) {
      toast(interpolate(ELSEWHERE[what], { number }));
      this.lookAgain();
    }
  }

  #goOn({ visit, reason, progress }) {
    this.reason = reason;
    this.progress = progress;
    this.#enter(visit);
  }

  #enter(visit) {
    this.visit = visit;
    this.editor.visit = visit;
    this.commands.forget();
    this.marks.reset(visit?.marks ?? []);
    if (visit) {
      this.marks.replay(this.queue.pendingOf(visit.uid));
    }
    this.#emit("visit");
    this.#emit("change");
  }

  async #busy(run) {
    if (this.isBusy) {
      return;
    }
    this.isBusy = true;
    this.#emit("change");
    try {
      await this.signIn.around(run);
    } catch (error) {
      await this.#explain(error);
    } finally {
      this.isBusy = false;
      this.#emit("change");
    }
  }

  /** What went wrong, in the server's words; a tile that changed elsewhere is shown as it is now. */
  async #explain(error) {
    if (error.status === undefined) {
      throw error;
    }
    toast(error.message, { kind: "error" });
    if (error.code === "not_empty") {
      this.#enter(await ask("GET", fillUrl(this.urls.visit, this.visit)));
    } else if ([403, 404, 409].includes(error.status) && error.code !== "other_person") {
      await this.#leave();
    }
  }

  /** The visit is lost: submitted in another tab, released, its place taken, the role gone. The server says what next. */
  async #leave() {
    try {
      this.#goOn(await ask("POST", this.urls.next));
    } catch (error) {
      if (error.status === undefined) {
        throw error;
      }
      this.reason = { title: gettext("No tile is open to you here now"), text: error.message };
      this.#enter(null);
    }
  }

  #emit(type) {
    this.dispatchEvent(new Event(type));
  }
}

function submittedText(number, count) {
  const found = count
    ? interpolate(ngettext("%(count)s crater", "%(count)s craters", count), { count })
    : gettext("nothing found");
  return interpolate(gettext("Tile %(number)s submitted: searched, %(found)s"), { number, found });
}
