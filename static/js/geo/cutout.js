/** Between the pixels of a cut-out and the body: good near its centre, whatever the projection and the latitude. */

import { bearingDeg, destination, distanceM } from "tektite/geo/sphere";

/** @typedef {import("tektite/geo/sphere").LonLat} LonLat */
/** @typedef {[number, number]} Px */

export class CutoutFrame {
  /**
   * The proposed rim is known both ways, so its north and east points give the scale and the turn of the picture.
   *
   * @param {LonLat} center Of the proposed crater.
   * @param {number} diameterM
   * @param {Px[]} ring Its rim in pixels, from north clockwise, the last point equal to the first.
   * @param {number} radiusM Of the body.
   */
  constructor(center, diameterM, ring, radiusM) {
    const corners = ring.length - 1;
    const at = (quarter) => ring[Math.round((corners * quarter) / 4) % corners];
    const [north, east, south, west] = [0, 1, 2, 3].map(at);
    this.center = center;
    this.radiusM = radiusM;
    this.centerPx = /** @type {Px} */ ([
      (north[0] + south[0] + east[0] + west[0]) / 4,
      (north[1] + south[1] + east[1] + west[1]) / 4,
    ]);
    this.northPxPerM = half(north, south, diameterM);
    this.eastPxPerM = half(east, west, diameterM);
  }

  /** @returns {number} Pixels per metre, the mean of both directions. */
  get pxPerM() {
    return (Math.hypot(...this.northPxPerM) + Math.hypot(...this.eastPxPerM)) / 2;
  }

  /** @param {Px} px @returns {LonLat} */
  lonLat([x, y]) {
    const [dx, dy] = [x - this.centerPx[0], y - this.centerPx[1]];
    const [[nx, ny], [ex, ey]] = [this.northPxPerM, this.eastPxPerM];
    const area = ex * ny - ey * nx;
    const eastM = (dx * ny - dy * nx) / area;
    const northM = (ex * dy - ey * dx) / area;
    const bearing = (Math.atan2(eastM, northM) * 180) / Math.PI;
    return destination(this.center, bearing, Math.hypot(eastM, northM), this.radiusM);
  }

  /** @param {LonLat} place @returns {Px} Inverse of lonLat. */
  px(place) {
    const distance = distanceM(this.center, place, this.radiusM);
    const bearing = distance === 0 ? 0 : (bearingDeg(this.center, place) * Math.PI) / 180;
    const [eastM, northM] = [distance * Math.sin(bearing), distance * Math.cos(bearing)];
    return [
      this.centerPx[0] + eastM * this.eastPxPerM[0] + northM * this.northPxPerM[0],
      this.centerPx[1] + eastM * this.eastPxPerM[1] + northM * this.northPxPerM[1],
    ];
  }
}

/** @type {(from: Px, to: Px, diameterM: number) => Px} */
const half = ([x1, y1], [x2, y2], diameterM) => [(x1 - x2) / diameterM, (y1 - y2) / diameterM];
