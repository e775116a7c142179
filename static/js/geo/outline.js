/**
 * Outlines drawn around something in a picture: closed polygons in the picture's pixels, x to the right, y down.
 * What is refused here is refused by the server too (review/services/foils/network/cut_outs.py).
 *
 * @typedef {{x: number, y: number}} Point
 *
 * @typedef {object} Limits
 * @property {number} points At most.
 * @property {number} smallest_px The least diameter.
 * @property {{width: number, height: number}|null} room What the outline must fit into.
 */

export const LEAST_POINTS = 3;

/** @param {Point[]} points @returns {number} Pixels, whichever way round they go. */
export function areaOf(points) {
  const twice = points.reduce((sum, { x, y }, at) => {
    const next = points[(at + 1) % points.length];
    return sum + x * next.y - next.x * y;
  }, 0);
  return Math.abs(twice) / 2;
}

/** @param {Point[]} points @returns {number} Of the circle of the same area. */
export const diameterOf = (points) => 2 * Math.sqrt(areaOf(points) / Math.PI);

/** @param {Point[]} points @returns {{left: number, top: number, width: number, height: number}} */
export function boxOf(points) {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
}

/**
 * @param {Point[]} points
 * @param {boolean} [isClosed] Whether the last point is joined to the first.
 * @returns {[number, number]|null} Two edges, by their first points, that cross, touch or lie on each other.
 */
export function crossing(points, isClosed = true) {
  const n = isClosed ? points.length : points.length - 1;
  const edge = (at) => [points[at], points[(at + 1) % points.length]];
  for (let i = 0; i < n; i++) {
    if (isSame(...edge(i))) {
      return [i, i];
    }
    for (let j = i + 1; j < n; j++) {
      const isNext = j === i + 1 || (isClosed && i === 0 && j === n - 1);
      if (isNext ? foldsBack(edge(i), edge(j)) : meet(edge(i), edge(j))) {
        return [i, j];
      }
    }
  }
  return null;
}

/**
 * @param {Point[]} points Of a closed outline.
 * @param {{width: number, height: number}} picture
 * @param {Limits} limits
 * @returns {""|"points"|"many"|"outside"|"crossing"|"too_small"|"too_large"} What is wrong with it, if anything.
 */
export function troubleOf(points, picture, limits) {
  if (points.length < LEAST_POINTS) {
    return "points";
  }
  if (points.length > limits.points) {
    return "many";
  }
  if (points.some(({ x, y }) => x < 0 || y < 0 || x > picture.width || y > picture.height)) {
    return "outside";
  }
  if (crossing(points)) {
    return "crossing";
  }
  if (diameterOf(points) < limits.smallest_px) {
    return "too_small";
  }
  const { width, height } = boxOf(points);
  return limits.room && (width > limits.room.width || height > limits.room.height) ? "too_large" : "";
}

/**
 * @param {Point[]} points Of a closed outline.
 * @param {Point} spot
 * @param {number} reach
 * @returns {{edge: number, at: Point}|null} The nearest edge within reach, and its nearest point.
 */
export function nearestEdge(points, spot, reach) {
  let nearest = null;
  let least = reach;
  points.forEach((from, edge) => {
    const to = points[(edge + 1) % points.length];
    const at = nearestOn(from, to, spot);
    const away = Math.hypot(at.x - spot.x, at.y - spot.y);
    if (away <= least) {
      least = away;
      nearest = { edge, at };
    }
  });
  return nearest;
}

function nearestOn(from, to, spot) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const along = length ? ((spot.x - from.x) * dx + (spot.y - from.y) * dy) / length : 0;
  const share = Math.min(1, Math.max(0, along));
  return { x: from.x + share * dx, y: from.y + share * dy };
}

const isSame = (a, b) => a.x === b.x && a.y === b.y;

/** Twice the area of a triangle: positive, negative, or 0 on one line. */
const turn = (a, b, c) => (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);

/** Of two edges that share a corner, whether one runs back along the other. */
function foldsBack(first, second) {
  const shared = first.find((one) => second.some((other) => isSame(one, other)));
  const [a, c] = [first, second].map((edge) => edge.find((point) => !isSame(point, shared)) ?? shared);
  const isOneLine = turn(a, shared, c) === 0;
  return isOneLine && (a.x - shared.x) * (c.x - shared.x) + (a.y - shared.y) * (c.y - shared.y) > 0;
}

/** Whether two edges have a point in common. */
function meet([a, b], [c, d]) {
  const sides = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)].map(Math.sign);
  if (sides[0] !== sides[1] && sides[2] !== sides[3]) {
    return true;
  }
  const ends = [[a, b, c], [a, b, d], [c, d, a], [c, d, b]];
  return ends.some(([from, to, point], at) => sides[at] === 0 && isBetween(from, to, point));
}

const isBetween = (from, to, point) =>
  Math.min(from.x, to.x) <= point.x && point.x <= Math.max(from.x, to.x) &&
  Math.min(from.y, to.y) <= point.y && point.y <= Math.max(from.y, to.y);
