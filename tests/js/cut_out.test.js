/** Outlines of cut-outs: their geometry, their alpha, and the steps of drawing one. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { alphaOf, coverage } from "tektite/geo/alpha";
import { areaOf, boxOf, crossing, diameterOf, nearestEdge, troubleOf } from "tektite/geo/outline";
import { Drawing } from "tektite/pages/foil_cut/drawing";

const at = (...pairs) => pairs.map(([x, y]) => ({ x, y }));
const SQUARE = at([10, 8], [30, 8], [30, 28], [10, 28]);
const PICTURE = { width: 64, height: 48 };
// alpha_of(TWIN, (10, 12)) of mlcore/foil_classifier/cutting.py.
const TWIN = at([1.3, 2.2], [6.7, 0.9], [10.4, 5.5], [5.2, 8.6], [4.1, 5.0]);
const FROM_PYTHON = [
  [0, 0, 3, 11, 18, 26, 31, 10, 1, 0, 0, 0],
  [1, 13, 50, 95, 141, 185, 194, 79, 11, 0, 0, 0],
  [7, 69, 191, 231, 241, 249, 248, 194, 58, 6, 0, 0],
  [1, 21, 112, 222, 252, 255, 255, 243, 171, 40, 3, 0],
  [0, 2, 23, 114, 230, 254, 255, 254, 236, 140, 22, 1],
  [0, 0, 2, 33, 175, 247, 255, 253, 240, 186, 46, 4],
  [0, 0, 0, 14, 116, 236, 247, 223, 149, 56, 10, 1],
  [0, 0, 0, 5, 59, 204, 180, 83, 25, 5, 0, 0],
  [0, 0, 0, 1, 15, 77, 34, 9, 1, 0, 0, 0],
  [0, 0, 0, 0, 1, 8, 2, 0, 0, 0, 0, 0],
].flat();
const LIMITS = { points: 500, smallest_px: 4, room: { width: 32, height: 40 } };

/** Numbers like chance's, and the same each time. */
function lots(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** One corner in each direction, so that it does not cross itself. */
function star(random, n) {
  return Array.from({ length: n }, (_, k) => {
    const [angle, radius] = [(2 * Math.PI * k) / n, 3 + 18 * random()];
    return { x: 32 + radius * Math.cos(angle), y: 24 + radius * Math.sin(angle) };
  });
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

test("area, diameter and box are those of the polygon, whichever way round", () => {
  for (const points of [SQUARE, [...SQUARE].reverse()]) {
    assert.equal(areaOf(points), 400);
    assert.ok(Math.abs(diameterOf(points) - 22.5676) < 1e-4);
    assert.deepEqual(boxOf(points), { left: 10, top: 8, width: 20, height: 20 });
  }
});

test("an outline that crosses, touches or folds back on itself is found", () => {
  assert.equal(crossing(SQUARE), null);
  assert.deepEqual(crossing(at([10, 8], [30, 28], [30, 8], [10, 28])), [0, 2]);
  assert.ok(crossing(at([10, 8], [20, 18], [30, 28])));
  assert.ok(crossing(at([10, 8], [30, 8], [10, 8], [10, 28])));
  assert.ok(crossing(at([10, 8], [30, 8], [30, 8], [10, 28])));
  assert.ok(crossing(at([0, 0], [10, 0], [10, 10], [5, 0], [0, 10])), "a corner on another edge");
  assert.equal(crossing(at([0, 0], [10, 0], [20, 0], [10, 10])), null, "a point on a straight edge");
});

test("while it is open the last point is not joined to the first", () => {
  const hook = at([0, 0], [10, 0], [10, 10], [5, -5]);
  assert.ok(crossing(hook, false));
  assert.equal(crossing(at([0, 0], [10, 10], [10, 0], [4, -3]), false), null);
  assert.equal(crossing(at([0, 0], [10, 10], [10, 0], [3, 6]), true)?.length, 2);
});

test("stars cross nothing, and neighbours swapped on a ring do", () => {
  const random = lots(7);
  for (let round = 0; round < 100; round++) {
    const n = 4 + Math.floor(12 * random());
    assert.equal(crossing(star(random, n)), null);
    const [first, second, third, ...others] = star(() => 0.5, n);
    assert.ok(crossing([first, third, second, ...others]));
  }
});

test("what is wrong is named, the first thing first", () => {
  const square = (size, x = 10, y = 8) => at([x, y], [x + size, y], [x + size, y + size], [x, y + size]);
  assert.equal(troubleOf(SQUARE, PICTURE, LIMITS), "");
  assert.equal(troubleOf(SQUARE.slice(2), PICTURE, LIMITS), "points");
  assert.equal(troubleOf(SQUARE, PICTURE, { ...LIMITS, points: 3 }), "many");
  assert.equal(troubleOf(square(20, 50), PICTURE, LIMITS), "outside");
  assert.equal(troubleOf(at([10, 8], [30, 28], [30, 8], [10, 28]), PICTURE, LIMITS), "crossing");
  assert.equal(troubleOf(square(3.5), PICTURE, LIMITS), "too_small");
  assert.equal(troubleOf(square(3.6), PICTURE, LIMITS), "");
  assert.equal(troubleOf(square(33), PICTURE, LIMITS), "too_large");
  assert.equal(troubleOf(square(33), PICTURE, { ...LIMITS, room: null }), "");
});

test("the nearest edge within reach takes a point", () => {
  assert.deepEqual(nearestEdge(SQUARE, { x: 20, y: 9 }, 3), { edge: 0, at: { x: 20, y: 8 } });
  assert.deepEqual(nearestEdge(SQUARE, { x: 9, y: 20 }, 3), { edge: 3, at: { x: 10, y: 20 } });
  assert.equal(nearestEdge(SQUARE, { x: 20, y: 18 }, 3), null);
});

test("alpha is the server's, to the digit", () => {
  assert.deepEqual([...alphaOf(TWIN, 12, 10)], FROM_PYTHON);
});

test("the area of the alpha is the polygon's", () => {
  const random = lots(3);
  for (let round = 0; round < 60; round++) {
    const points = star(random, 3 + Math.floor(20 * random()));
    assert.ok(Math.abs(sum(coverage(points, 64, 48)) - areaOf(points)) < 1e-6);
    assert.ok(Math.abs(sum(alphaOf(points, 64, 48)) / 255 - areaOf(points)) < 1);
  }
});

test("an outline is drawn point by point, closed, and undone step by step", () => {
  const drawing = new Drawing();
  SQUARE.slice(0, 2).forEach((point) => drawing.add(point));
  assert.equal(drawing.close(), false);
  SQUARE.slice(2).forEach((point) => drawing.add(point));
  assert.equal(drawing.close(), true);
  drawing.add({ x: 1, y: 1 });
  assert.deepEqual(drawing.points, SQUARE, "closed, it takes no point at its end");
  drawing.grab(0);
  drawing.move(0, { x: 9, y: 7 });
  drawing.move(0, { x: 8, y: 6 });
  drawing.undo();
  assert.deepEqual(drawing.points, SQUARE, "a drag is one step");
  drawing.redo();
  assert.deepEqual(drawing.points[0], { x: 8, y: 6 });
  drawing.abandon();
  assert.ok(drawing.isEmpty);
  drawing.undo();
  assert.ok(drawing.isClosed && drawing.points.length === 4, "what was abandoned comes back");
  while (drawing.undo());
  assert.ok(drawing.isEmpty);
  assert.equal(drawing.undo(), false);
});

test("points are inserted, chosen and removed", () => {
  const drawing = new Drawing();
  drawing.load(SQUARE, "old");
  drawing.insert(3, { x: 10, y: 18 });
  assert.deepEqual([drawing.points.length, drawing.state.chosen, drawing.points[4]], [5, 4, { x: 10, y: 18 }]);
  drawing.chooseNext(1);
  assert.equal(drawing.state.chosen, 0);
  drawing.chooseNext(-1);
  drawing.remove();
  assert.deepEqual(drawing.points, SQUARE);
  drawing.remove();
  drawing.remove();
  assert.deepEqual([drawing.points.length, drawing.isClosed, drawing.state.mends], [2, false, "old"]);
  drawing.clear();
  assert.equal(drawing.undo(), false);
  assert.equal(drawing.state.mends, null);
});
