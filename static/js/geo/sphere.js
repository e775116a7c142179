/**
 * Distances, bearings and destinations on a sphere: the browser's twin of mlcore/geodesy.py.
 * Positions are [lon, lat] in degrees, east-positive.
 *
 * @typedef {[number, number]} LonLat
 */

const RADIANS = Math.PI / 180;

/**
 * @param {number} lon Degrees, any number of turns.
 * @returns {number} The same meridian in [−180, 180).
 */
export function normaliseLon(lon) {
  const turned = (((lon + 180) % 360) + 360) % 360;
  return turned - 180;
}

/**
 * @param {LonLat} from
 * @param {LonLat} to
 * @param {number} radiusM Of the body.
 * @returns {number} Metres along the great circle; good for neighbours and antipodes alike.
 */
export function distanceM(from, to, radiusM) {
  const a = toVector(from);
  const b = toVector(to);
  return radiusM * angleBetween(a, b);
}

/**
 * @param {LonLat} from
 * @param {LonLat} to
 * @returns {number} Initial bearing in degrees clockwise from north, [0, 360).
 */
export function bearingDeg(from, to) {
  const lat1 = from[1] * RADIANS;
  const lat2 = to[1] * RADIANS;
  const dLon = (to[0] - from[0]) * RADIANS;
  const east = Math.sin(dLon) * Math.cos(lat2);
  const north = Math.cos(lat1) * Math.sin(lat2) - Math.sin(lat1) * Math.cos(lat2) * Math.cos(dLon);
  return (Math.atan2(east, north) / RADIANS + 360) % 360;
}

/**
 * @param {LonLat} from
 * @param {number} bearing Degrees clockwise from north.
 * @param {number} metres Along the great circle.
 * @param {number} radiusM
 * @returns {LonLat}
 */
export function destination(from, bearing, metres, radiusM) {
  const angle = metres / radiusM;
  const lat1 = from[1] * RADIANS;
  const turn = bearing * RADIANS;
  const north = Math.cos(turn) * Math.sin(angle);
  const east = Math.sin(turn) * Math.sin(angle);
  const up = Math.cos(angle);
  // The end point in the frame (meridian, parallel, axis) of the start: atan2 keeps its precision at the poles.
  const outward = up * Math.cos(lat1) - north * Math.sin(lat1);
  const axis = up * Math.sin(lat1) + north * Math.cos(lat1);
  const lon = from[0] + Math.atan2(east, outward) / RADIANS;
  return [normaliseLon(lon), Math.atan2(axis, Math.hypot(outward, east)) / RADIANS];
}

/**
 * @param {LonLat} position
 * @returns {[number, number, number]} The unit vector.
 */
function toVector([lon, lat]) {
  const flat = Math.cos(lat * RADIANS);
  return [flat * Math.cos(lon * RADIANS), flat * Math.sin(lon * RADIANS), Math.sin(lat * RADIANS)];
}

/** @type {(a: number[], b: number[]) => number} */
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/** @type {(a: number[], b: number[]) => [number, number, number]} */
export const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

/** @type {(a: number[], b: number[]) => number} Radians between two vectors, exact for small angles too. */
const angleBetween = (a, b) => Math.atan2(Math.hypot(...cross(a, b)), dot(a, b));
