/** Crater rims as geodesic rings. */

import { destination } from "tektite/geo/sphere";

/** @typedef {import("tektite/geo/sphere").LonLat} LonLat */

/**
 * @param {LonLat} center
 * @param {number} diameterM Measured along the surface.
 * @param {number} radiusM Of the body.
 * @param {number} [n] Corners.
 * @returns {LonLat[]} n + 1 positions from north clockwise, the last equal to the first; longitudes jump at ±180°.
 */
export function ring(center, diameterM, radiusM, n = 72) {
  const corners = Array.from({ length: n }, (_, i) => destination(center, (360 * i) / n, diameterM / 2, radiusM));
  return [...corners, corners[0]];
}

/**
 * @param {number} radiusM Of the body.
 * @returns {number} The diameter of a hemisphere, which no crater may reach.
 */
export function maxDiameterM(radiusM) {
  return Math.PI * radiusM;
}
