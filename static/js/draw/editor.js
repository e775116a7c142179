/** Every act on marks: shown at once, put on the undo stack, and handed to the save queue. */

import { maxDiameterM } from "tektite/geo/ring";
import { normaliseLon } from "tektite/geo/sphere";
import { gettext } from "tektite/lib/i18n";
import { newUid } from "tektite/lib/uid";

/** @typedef {import("tektite/draw/marks").Mark} Mark */

// Small steps closer together than this are one: one undo, one request.
const ONE_GESTURE_MS = 900;

export class Editor {
  /**
   * @param {object} needs
   * @param {import("tektite/draw/marks").Marks} needs.marks
   * @param {import("tektite/lib/commands").CommandStack} needs.commands
   * @param {import("tektite/lib/save_queue").SaveQueue} needs.queue
   * @param {number} needs.radiusM Of the body.
   * @param {number} needs.minDiameterM
   * @param {() => {basemap: string|null, view: object}} needs.lookingAt What was visible while drawing.
   */
  constructor({ marks, commands, queue, radiusM, minDiameterM, lookingAt }) {
    Object.assign(this, { marks, commands, queue, radiusM, minDiameterM, lookingAt });
    /** @type {{uid: string, tile: {number: number}}|null} Nothing can be drawn without one. */
    this.visit = null;
  }

  /** @param {number} diameterM @returns {"small"|"large"|null} Why a circle of this size is not kept. */
  misfit(diameterM) {
    if (!(diameterM > 0) || diameterM < this.minDiameterM) {
      return "small";
    }
    return diameterM < maxDiameterM(this.radiusM) ? null : "large";
  }

  /**
   * @param {{lon: number, lat: number, diameterM: number}} circle
   * @param {[number, number][]|null} [rimPoints]
   */
  draw({ lon, lat, diameterM }, rimPoints = null) {
    const mark = {
      uid: newUid(),
      version: 0,
      lon: normaliseLon(lon),
      lat,
      diameter_m: diameterM,
      rim_points: rimPoints,
      uncertain: false,
      deleted: false,
    };
    const seen = this.lookingAt();
    let isSent = false;
    this.commands.run({
      label: gettext("crater drawn"),
      subject: mark.uid,
      apply: () => {
        if (isSent) {
          this.#setDeleted(mark.uid, false);
        } else {
          isSent = true;
          this.marks.put(mark);
          this.#save(mark.uid, "draw", { ...shape(mark), ...seen });
        }
        this.marks.select(mark.uid);
      },
      revert: () => this.#setDeleted(mark.uid, true),
    });
  }

  /** @param {string} uid */
  remove(uid) {
    this.commands.run({
      label: gettext("crater deleted"),
      subject: uid,
      apply: () => this.#setDeleted(uid, true),
      revert: () => {
        this.#setDeleted(uid, false);
        this.marks.select(uid);
      },
    });
  }

  /**
   * @param {string} uid
   * @param {Partial<Mark>} patch
   * @param {string} [gesture] Steps of the same gesture that follow each other quickly are undone together.
   */
  change(uid, patch, gesture = "") {
    const before = this.marks.byUid.get(uid);
    if (!before || before.deleted) {
      return;
    }
    const moves = "lon" in patch || "lat" in patch || "diameter_m" in patch;
    const command = {
      label: "uncertain" in patch ? gettext("doubt changed") : gettext("crater changed"),
      subject: uid,
      gesture,
      at: Date.now(),
      before: shape(before),
      // Three points no longer describe a rim that was moved.
      after: shape({ ...before, ...patch, rim_points: moves ? null : before.rim_points }),
      apply: () => this.#setShape(uid, command.after),
      revert: () => this.#setShape(uid, command.before),
      absorb: (next) => {
        const isOne = gesture && next.gesture === gesture && next.subject === uid && next.at - command.at < ONE_GESTURE_MS;
        if (isOne) {
          Object.assign(command, { after: next.after, at: next.at });
        }
        return Boolean(isOne);
      },
    };
    this.commands.run(command);
  }

  #setShape(uid, after) {
    const { lon, lat, diameter_m, rim_points, uncertain } = this.marks.byUid.get(uid) ?? {};
    const now = { lon, lat, diameter_m, rim_points, uncertain };
    this.marks.patch(uid, after);
    this.marks.select(uid);
    const isMoved = ["lon", "lat", "diameter_m", "rim_points"].some((name) => after[name] !== now[name]);
    const body = {
      ...(isMoved && { lon: after.lon, lat: after.lat, diameter_m: after.diameter_m, rim_points: after.rim_points }),
      ...(after.uncertain !== now.uncertain && { uncertain: after.uncertain }),
    };
    if (Object.keys(body).length) {
      this.#save(uid, "change", body);
    }
  }

  #setDeleted(uid, deleted) {
    this.marks.patch(uid, { deleted });
    if (deleted && this.marks.selectedUid === uid) {
      this.marks.select(null);
    }
    this.#save(uid, deleted ? "delete" : "restore", {});
  }

  #save(uid, kind, body) {
    const mark = this.marks.byUid.get(uid);
    const { uid: visit, tile } = this.visit;
    this.queue.add({ visit, tile: tile.number, mark: uid, kind, body, shape: shape(mark), base: mark.version });
  }
}

/** @param {Mark} mark */
const shape = ({ lon, lat, diameter_m, rim_points, uncertain }) => ({ lon, lat, diameter_m, rim_points, uncertain });
