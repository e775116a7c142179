/** Which ring lies under the pointer: plane geometry on the screen. Lines are x, y, x, y … in pixels. */

/**
 * @param {{x: number, y: number}} point
 * @param {Float64Array} line
 * @returns {number} Pixels to its nearest segment.
 */
export function distanceToLine({ x, y }, line) {
  let nearest = Infinity;
  for (let i = 2; i < line.length; i += 2) {
    const [ax, ay] = [line[i - 2], line[i - 1]];
    const [dx, dy] = [line[i] - ax, line[i + 1] - ay];
    const along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1);
    const t = Math.min(Math.max(along, 0), 1);
    nearest = Math.min(nearest, Math.hypot(x - ax - t * dx, y - ay - t * dy));
  }
  return nearest;
}

/**
 * @param {{x: number, y: number}} point
 * @param {Float64Array} line Closed.
 * @returns {boolean}
 */
export function isInside({ x, y }, line) {
  let inside = false;
  for (let i = 2; i < line.length; i += 2) {
    const [ax, ay, bx, by] = [line[i - 2], line[i - 1], line[i], line[i + 1]];
    if (ay > y !== by > y && x < ax + ((y - ay) * (bx - ax)) / (by - ay)) {
      inside = !inside;
    }
  }
  return inside;
}

/**
 * The rim nearest to the pointer; away from all rims, the smallest ring around it. So a small crater is reached
 * inside a big one, and a big one by its rim even where small ones lie on its floor.
 *
 * @template T
 * @param {{x: number, y: number}} point
 * @param {{value: T, line: Float64Array, diameter: number}[]} rings
 * @param {number} tolerancePx
 * @returns {T|null}
 */
export function pick(point, rings, tolerancePx) {
  const near = rings
    .map((ring) => ({ ...ring, away: distanceToLine(point, ring.line) }))
    .filter(({ away }) => away <= tolerancePx)
    .sort((a, b) => a.away - b.away);
  if (near.length) {
    return near[0].value;
  }
  const around = rings.filter(({ line }) => isInside(point, line)).sort((a, b) => a.diameter - b.diameter);
  return around[0]?.value ?? null;
}
