/** A scale bar that is true at one place of the screen, whatever the projection. */

import { lengthText } from "tektite/geo/format";
import { distanceM } from "tektite/geo/sphere";

/** @typedef {import("tektite/geo/sphere").LonLat} LonLat */

const STEPS = [5, 2, 1];

/**
 * @param {number} mPerPx Ground size of a screen pixel.
 * @param {number} maxWidthPx
 * @returns {{lengthM: number, widthPx: number, label: string}} The longest of 1, 2, 5 × 10ⁿ metres that fits.
 */
export function scaleBar(mPerPx, maxWidthPx) {
  const longest = mPerPx * maxWidthPx;
  const decade = 10 ** Math.floor(Math.log10(longest));
  const lengthM = decade * STEPS.find((step) => step * decade <= longest * (1 + 1e-9));
  const label = lengthM >= 1000 ? `${lengthM / 1000} km` : lengthM >= 1 ? `${lengthM} m` : lengthText(lengthM);
  return { lengthM, widthPx: lengthM / mPerPx, label };
}

/**
 * @param {(x: number, y: number) => LonLat|null} toLonLat Of screen positions in pixels.
 * @param {{x: number, y: number}} at
 * @param {number} radiusM Of the body.
 * @param {number} [halfWidthPx] How far to either side to look.
 * @returns {number|null} Metres per screen pixel along the screen's horizontal; null beyond the edge of the world.
 */
export function groundSize(toLonLat, at, radiusM, halfWidthPx = 0.5) {
  const left = toLonLat(at.x - halfWidthPx, at.y);
  const right = toLonLat(at.x + halfWidthPx, at.y);
  return left && right ? distanceM(left, right, radiusM) / (2 * halfWidthPx) : null;
}
