/**
 * How much of each pixel belongs to a cut-out: the twin of mlcore/foil_classifier/cutting.py, so that what is seen
 * while drawing is what trainings get.
 *
 * @typedef {import("tektite/geo/outline").Point} Point
 */

// See cutting.py: with the pixel's own box this blurs as a ramp of two pixels does.
const BLUR = [0.125, 0.75, 0.125];

/**
 * @param {Point[]} points
 * @param {number} width Of the picture, pixels.
 * @param {number} height
 * @returns {Uint8ClampedArray} Row by row: 255 inside, 0 outside, fading over two pixels along the outline.
 */
export function alphaOf(points, width, height) {
  const share = coverage(points, width, height);
  const along = blurred(share, width, height, 1, width);
  const both = blurred(along, width, height, width, height);
  return Uint8ClampedArray.from(both, (value) => Math.round(255 * Math.min(1, value)));
}

/**
 * @param {Point[]} points
 * @param {number} width
 * @param {number} height
 * @returns {Float64Array} The share of each pixel that the polygon covers, exactly.
 */
export function coverage(points, width, height) {
  const stride = width + 2;
  const rightOf = new Float64Array(stride * height);
  points.forEach((start, at) => {
    for (const [from, to] of pieces(start, points[(at + 1) % points.length])) {
      const row = Math.floor((from.y + to.y) / 2);
      if (row >= 0 && row < height) {
        const x = Math.min(width, Math.max(0, (from.x + to.x) / 2));
        const column = Math.floor(x);
        rightOf[row * stride + column] += (to.y - from.y) * (column + 1 - x);
        rightOf[row * stride + column + 1] += (to.y - from.y) * (x - column);
      }
    }
  });
  const covered = new Float64Array(width * height);
  for (let row = 0; row < height; row++) {
    let sum = 0;
    for (let column = 0; column < width; column++) {
      sum += rightOf[row * stride + column];
      covered[row * width + column] = Math.min(1, Math.abs(sum));
    }
  }
  return covered;
}

/** An edge, cut at every border between two pixels. */
function pieces(start, end) {
  const shares = [0, 1, ...borders(start.x, end.x), ...borders(start.y, end.y)].sort((a, b) => a - b);
  const cuts = shares.map((share) => ({ x: start.x + share * (end.x - start.x), y: start.y + share * (end.y - start.y) }));
  return cuts.slice(1).map((to, at) => [cuts[at], to]);
}

function borders(from, to) {
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  const found = [];
  for (let border = Math.floor(low) + 1; border < high; border++) {
    found.push((border - from) / (to - from));
  }
  return found;
}

/** Along rows (step 1) or columns (step = width); beyond the picture there is nothing. */
function blurred(values, width, height, step, length) {
  const result = new Float64Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const place = step === 1 ? at % width : Math.floor(at / width);
    const before = place > 0 ? values[at - step] : 0;
    const after = place < length - 1 ? values[at + step] : 0;
    result[at] = BLUR[0] * before + BLUR[1] * values[at] + BLUR[2] * after;
  }
  return result;
}
