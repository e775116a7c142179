/** Click a rim to select it; drag its centre to move it, its four rim handles to resize it; elsewhere move the map. */

import { pick } from "tektite/geo/hit";
import { destination, distanceM } from "tektite/geo/sphere";
import { gettext } from "tektite/lib/i18n";
import { misfitText, sketch } from "tektite/draw/workspace";

const HANDLE_PX = { mouse: 9, touch: 22 };
const RIM_PX = { mouse: 8, touch: 20 };

/**
 * @typedef {import("tektite/draw/pointers").Tool} Tool
 * @implements {Tool}
 */
export class SelectTool {
  name = "select";
  hint = gettext("Click a rim to select it; drag its centre or its rim");

  /** @param {import("tektite/draw/workspace").Workspace} workspace */
  constructor(workspace) {
    this.workspace = workspace;
    /** @type {{mark: import("tektite/draw/marks").Mark, part: "center"|"rim", circle: object|null}|null} */
    this.held = null;
  }

  down(spot) {
    const { marks } = this.workspace;
    const part = marks.selected && this.#handleAt(spot, marks.selected);
    this.held = part ? { mark: marks.selected, part, circle: null } : null;
    return this.held !== null;
  }

  drag(spot) {
    const at = this.workspace.map.toLonLat(spot);
    if (!this.held || !at) {
      return;
    }
    const { mark, part } = this.held;
    this.held.circle =
      part === "center"
        ? { lon: at[0], lat: at[1], diameter_m: mark.diameter_m }
        : { lon: mark.lon, lat: mark.lat, diameter_m: 2 * distanceM([mark.lon, mark.lat], at, this.workspace.map.radiusM) };
    sketch(this.workspace, this.held.circle, [[this.held.circle.lon, this.held.circle.lat]]);
  }

  up() {
    const { mark, part, circle } = this.held ?? {};
    this.cancel();
    if (!circle) {
      return;
    }
    const misfit = misfitText(this.workspace.editor, circle.diameter_m);
    if (misfit) {
      this.workspace.say(misfit);
    } else if (part === "center") {
      this.workspace.editor.change(mark.uid, { lon: circle.lon, lat: circle.lat });
    } else {
      this.workspace.editor.change(mark.uid, { diameter_m: circle.diameter_m });
    }
  }

  click(spot) {
    const { marks, rings } = this.workspace;
    const candidates = marks
      .standing()
      .flatMap((mark) => rings.screenRings(mark).map((line) => ({ value: mark.uid, line, diameter: mark.diameter_m })));
    marks.select(pick(spot, candidates, spot.touch ? RIM_PX.touch : RIM_PX.mouse));
  }

  hover(spot) {
    const { map, marks } = this.workspace;
    const part = spot && marks.selected ? this.#handleAt(spot, marks.selected) : null;
    map.element.classList.toggle("on-center", part === "center");
    map.element.classList.toggle("on-rim", part === "rim");
  }

  cancel() {
    const wasDragging = this.held !== null;
    this.held = null;
    sketch(this.workspace, null);
    return wasDragging;
  }

  #handleAt(spot, mark) {
    const { map } = this.workspace;
    const reach = spot.touch ? HANDLE_PX.touch : HANDLE_PX.mouse;
    const { center, rim } = handlesOf(mark, map.radiusM);
    const away = (position) => {
      const at = map.toScreen(position);
      return at ? Math.hypot(at.x - spot.x, at.y - spot.y) : Infinity;
    };
    // On a crater of a few pixels all handles are near: the nearest is meant.
    const nearestRim = Math.min(...rim.map(away));
    const toCenter = away(center);
    if (Math.min(nearestRim, toCenter) > reach) {
      return null;
    }
    return toCenter <= nearestRim ? "center" : "rim";
  }
}

/**
 * @param {import("tektite/draw/marks").Mark} mark
 * @param {number} radiusM Of the body.
 * @returns {{center: [number, number], rim: [number, number][]}} Where it can be held: to the north, east, south, west.
 */
export function handlesOf({ lon, lat, diameter_m }, radiusM) {
  const rim = [0, 90, 180, 270].map((bearing) => destination([lon, lat], bearing, diameter_m / 2, radiusM));
  return { center: [lon, lat], rim };
}
