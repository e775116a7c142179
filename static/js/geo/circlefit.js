/** The circle on the sphere through three points of a rim: exact, at any latitude and of any size. */

import { cross, destination } from "tektite/geo/sphere";

/** @typedef {import("tektite/geo/sphere").LonLat} LonLat */

const RADIANS = Math.PI / 180;

// Triangles whose smallest height is below this share of their longest side fix no circle.
const THINNEST = 1e-3;

// Radians: three points on a great circle bound a hemisphere, not a crater.
const WIDEST = Math.PI / 2 - 1e-9;

/**
 * Three points span a plane; it cuts the sphere in the circle, and its normal points at the centre. Everything
 * is reckoned from the first point, so that a crater of ten metres keeps its digits on a body of millions.
 *
 * @param {LonLat[]} points Three.
 * @param {number} radiusM Of the body.
 * @returns {{lon: number, lat: number, diameterM: number}|null} Null where the points lie (almost) on a line
 *   or on a great circle.
 */
export function circleFromRim([first, second, third], radiusM) {
  const b = chord(first, second);
  const c = chord(first, third);
  const longest = Math.max(Math.hypot(...b), Math.hypot(...c), Math.hypot(c[0] - b[0], c[1] - b[1], c[2] - b[2]));
  let normal = cross(b, c);
  if (!(Math.hypot(...normal) > THINNEST * longest * longest)) {
    return null;
  }
  if (normal[0] < 0) {
    normal = normal.map((value) => -value);
  }
  const [up, east, north] = normal;
  const angle = Math.atan2(Math.hypot(east, north), up);
  if (angle > WIDEST) {
    return null;
  }
  const [lon, lat] = destination(first, Math.atan2(east, north) / RADIANS, angle * radiusM, radiusM);
  return { lon, lat, diameterM: 2 * radiusM * angle };
}

/**
 * @param {LonLat} from
 * @param {LonLat} to
 * @returns {[number, number, number]} The straight line between them, up, east and north as seen from the first,
 *   on the unit sphere; without subtracting large numbers that are almost equal.
 */
function chord(from, to) {
  const lat1 = from[1] * RADIANS;
  const lat2 = to[1] * RADIANS;
  const halfLon = ((to[0] - from[0]) * RADIANS) / 2;
  const rise = 2 * Math.sin((lat2 - lat1) / 2);
  const middle = (lat1 + lat2) / 2;
  const sag = 2 * Math.cos(lat2) * Math.sin(halfLon) ** 2;
  const outward = -Math.sin(middle) * rise - sag;
  const axis = Math.cos(middle) * rise;
  const east = Math.cos(lat2) * Math.sin(2 * halfLon);
  const north = axis * Math.cos(lat1) - outward * Math.sin(lat1);
  const up = -(outward ** 2 + east ** 2 + axis ** 2) / 2;
  return [up, east, north];
}
