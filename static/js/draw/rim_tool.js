/** Click three points of the rim. After two, a ghost shows the ring that the third would make. */

import { circleFromRim } from "tektite/geo/circlefit";
import { gettext } from "tektite/lib/i18n";
import { misfitText, sketch } from "tektite/draw/workspace";

/**
 * @typedef {import("tektite/draw/pointers").Tool} Tool
 * @implements {Tool}
 */
export class RimTool {
  name = "rim";
  hint = gettext("Click three points of a crater's rim, far apart");

  /** @param {import("tektite/draw/workspace").Workspace} workspace */
  constructor(workspace) {
    this.workspace = workspace;
    /** @type {[number, number][]} */
    this.points = [];
  }

  down(spot) {
    return this.workspace.map.toLonLat(spot) !== null;
  }

  /** A finger may slide to the very place before it lets go. */
  drag(spot) {
    this.hover(spot);
  }

  up(spot) {
    const point = this.workspace.map.toLonLat(spot);
    if (!point) {
      return;
    }
    this.points.push(point);
    if (this.points.length === 3) {
      this.#finish();
    } else {
      this.workspace.draft({ tool: this.name, points: this.points });
      this.#show(null);
    }
  }

  /** @param {[number, number][]} points Clicked before. */
  takeUp(points) {
    this.points = points;
    this.#show(null);
  }

  click() {
    this.workspace.say(gettext("There is no ground here."));
  }

  hover(spot) {
    this.#show(spot && this.workspace.map.toLonLat(spot));
  }

  cancel() {
    const wasDrawing = this.points.length > 0;
    this.points = [];
    sketch(this.workspace, null);
    if (wasDrawing) {
      this.workspace.draft(null);
    }
    return wasDrawing;
  }

  /** @returns {boolean} Whether there was a point to take back. */
  takeBackPoint() {
    const point = this.points.pop();
    this.workspace.draft(this.points.length ? { tool: this.name, points: this.points } : null);
    this.#show(null);
    return point !== undefined;
  }

  #show(third) {
    const fit = third && this.points.length === 2 && circleFromRim([...this.points, third], this.workspace.map.radiusM);
    const dots = third && this.points.length ? [...this.points, third] : this.points;
    sketch(this.workspace, fit ? circleOf(fit) : null, dots);
  }

  #finish() {
    const points = this.points;
    this.cancel();
    const fit = circleFromRim(points, this.workspace.map.radiusM);
    const misfit = fit && misfitText(this.workspace.editor, fit.diameterM);
    if (!fit) {
      this.workspace.say(gettext("These three points lie almost on a line: take them further round the rim"));
    } else if (misfit) {
      this.workspace.say(misfit);
    } else {
      this.workspace.editor.draw(fit, points);
    }
  }
}

const circleOf = ({ lon, lat, diameterM }) => ({ lon, lat, diameter_m: diameterM });
