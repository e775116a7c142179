/** Press at the centre, drag to the rim. */

import { distanceM } from "tektite/geo/sphere";
import { gettext } from "tektite/lib/i18n";
import { misfitText, sketch } from "tektite/draw/workspace";

const NO_DRAG_PX = 3;
// Of the map's height: what Enter draws for those who do not use a pointer.
const FIRST_SIZE = 0.1;

/**
 * @typedef {import("tektite/draw/pointers").Tool} Tool
 * @implements {Tool}
 */
export class CircleTool {
  name = "circle";
  hint = gettext("Press at the centre of a crater and drag to its rim");

  /** @param {import("tektite/draw/workspace").Workspace} workspace */
  constructor(workspace) {
    this.workspace = workspace;
    this.center = null;
    this.pressedAt = null;
    /** @type {{lon: number, lat: number, diameter_m: number}|null} Left unfinished by an earlier page. */
    this.left = null;
  }

  down(spot) {
    const center = this.left ? this.center : this.workspace.map.toLonLat(spot);
    this.center = center;
    this.pressedAt = spot;
    if (center && !this.left) {
      this.workspace.draft({ tool: this.name, points: [center] });
    }
    return center !== null;
  }

  drag(spot) {
    const rim = this.workspace.map.toLonLat(spot);
    sketch(this.workspace, this.#circleTo(spot), [this.center]);
    if (rim) {
      this.workspace.draft({ tool: this.name, points: [this.center, rim] });
    }
  }

  up(spot) {
    const circle = this.#circleTo(spot);
    const moved = Math.hypot(spot.x - this.pressedAt.x, spot.y - this.pressedAt.y);
    const isClick = moved <= NO_DRAG_PX && !this.left;
    this.cancel();
    if (isClick || !circle) {
      this.workspace.say(this.hint);
      return;
    }
    this.#keep(circle);
  }

  /** @param {[number, number][]} points Its centre, and where its rim was; the next press goes on with it. */
  takeUp([center, rim = center]) {
    const diameter_m = 2 * distanceM(center, rim, this.workspace.map.radiusM);
    this.center = center;
    this.left = { lon: center[0], lat: center[1], diameter_m };
    sketch(this.workspace, this.left, [center]);
  }

  click() {
    this.workspace.say(gettext("There is no ground here."));
  }

  hover() {}

  cancel() {
    const wasDrawing = this.center !== null;
    this.center = null;
    this.left = null;
    sketch(this.workspace, null);
    if (wasDrawing) {
      this.workspace.draft(null);
    }
    return wasDrawing;
  }

  /** Without a pointer: what was left unfinished, or a circle in the middle of the map, to be nudged and sized with keys. */
  finish() {
    const { map, editor } = this.workspace;
    if (this.left) {
      const { left } = this;
      this.cancel();
      this.#keep(left);
      return;
    }
    const center = map.toLonLat(map.middle);
    const metresPerPx = map.groundSizeAt();
    if (center && metresPerPx) {
      const diameter_m = Math.max(FIRST_SIZE * map.size.y * metresPerPx, editor.minDiameterM);
      this.#keep({ lon: center[0], lat: center[1], diameter_m });
    }
  }

  #circleTo(spot) {
    const rim = this.center && this.workspace.map.toLonLat(spot);
    if (!rim) {
      return null;
    }
    const [lon, lat] = this.center;
    return { lon, lat, diameter_m: 2 * distanceM(this.center, rim, this.workspace.map.radiusM) };
  }

  #keep({ lon, lat, diameter_m }) {
    const misfit = misfitText(this.workspace.editor, diameter_m);
    if (misfit) {
      this.workspace.say(misfit);
    } else {
      this.workspace.editor.draw({ lon, lat, diameterM: diameter_m });
    }
  }
}
