/**
 * What the tools share: the map, the marks, the way to change them, and a voice.
 *
 * @typedef {object} Workspace
 * @property {import("tektite/map/grid_map").GridMap} map
 * @property {import("tektite/map/rings_layer").RingsLayer} rings All that stands still.
 * @property {import("tektite/map/rings_layer").RingsLayer} live The one being drawn, and the selected one.
 * @property {import("tektite/draw/marks").Marks} marks
 * @property {import("tektite/draw/editor").Editor} editor
 * @property {(text: string) => void} say A hint that goes away by itself.
 * @property {(draft: import("tektite/lib/drafts").Draft|null) => void} draft Keep the unfinished shape; null: there is none.
 */

import { lengthText } from "tektite/geo/format";
import { gettext, interpolate } from "tektite/lib/i18n";

/**
 * @param {import("tektite/draw/editor").Editor} editor
 * @param {number} diameterM
 * @returns {string|null} Why a circle of this size is not stored; null if it is.
 */
export function misfitText(editor, diameterM) {
  const misfit = editor.misfit(diameterM);
  if (misfit === "small") {
    return interpolate(gettext("%(diameter)s is below this campaign's %(limit)s: not stored"), {
      diameter: lengthText(diameterM),
      limit: lengthText(editor.minDiameterM),
    });
  }
  return misfit === "large" ? gettext("Larger than half the body: not stored") : null;
}

/**
 * @param {Workspace} workspace
 * @param {{lon: number, lat: number, diameter_m: number}|null} circle Still in the making.
 * @param {[number, number][]} [dots] Points that were clicked.
 */
export function sketch({ live, editor }, circle, dots = []) {
  if (!circle) {
    live.set("sketch", dots.length ? [{ circle: pointAt(dots[0]), look: "sketch", dots }] : []);
    return;
  }
  const isKept = editor.misfit(circle.diameter_m) === null;
  const small = interpolate(gettext("%(diameter)s · too small"), { diameter: lengthText(circle.diameter_m) });
  const label = isKept || editor.misfit(circle.diameter_m) === "large" ? lengthText(circle.diameter_m) : small;
  live.set("sketch", [{ circle, look: isKept ? "sketch" : "small", label, dots, selected: isKept }]);
}

/** Dots without a ring yet: a ring of no size carries them. */
const pointAt = ([lon, lat]) => ({ lon, lat, diameter_m: 0 });
