/** A picture in a box: fingers, zoom and the bar of lengths. */

import "./node18.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import * as pictures from "tektite/geo/picture_view";

const FOIL = { width: 512, height: 384 };
const PHONE = { width: 360, height: 270 };
const near = (actual, expected, what) => assert.ok(Math.abs(actual - expected) < 1e-6, `${what}: ${actual}, not ${expected}`);

/** The same numbers in every run. */
function* numbers(seed) {
  for (let state = seed; ; ) {
    state = (state * 1103515245 + 12345) % 2147483648;
    yield state / 2147483648;
  }
}

test("a picture fills its box, and a tap is the pixel under it", () => {
  const view = pictures.wholeIn(FOIL, PHONE);
  near(view.scale, 360 / 512, "scale");
  assert.ok(pictures.isWhole(view));
  const pixel = pictures.toPicture(view, { x: 90, y: 135 });
  near(pixel.x, 128, "x");
  near(pixel.y, 192, "y");
});

test("a tall picture stands in the middle, and beside it is outside", () => {
  const view = pictures.wholeIn({ width: 100, height: 400 }, PHONE);
  near(view.top, 0, "top");
  near(view.left, (360 - 67.5) / 2, "left");
  assert.ok(!pictures.isInside(view, pictures.toPicture(view, { x: 10, y: 100 })));
  assert.deepEqual(pictures.into(view, { x: -3, y: 500 }), { x: 0, y: 400 });
});

test("what is under the finger stays there while zooming, and box and picture agree at any zoom and place", () => {
  const draw = numbers(7);
  const next = () => draw.next().value;
  for (let i = 0; i < 500; i += 1) {
    let view = pictures.wholeIn({ width: 32 + 4000 * next(), height: 32 + 4000 * next() }, PHONE);
    for (let step = 0; step < 4; step += 1) {
      view = pictures.zoomed(view, 0.5 + 3 * next(), { x: 360 * next(), y: 270 * next() });
      view = pictures.moved(view, 400 * (next() - 0.5), 400 * (next() - 0.5));
    }
    const spot = { x: 360 * next(), y: 270 * next() };
    const back = pictures.toBox(view, pictures.toPicture(view, spot));
    near(back.x, spot.x, "x");
    near(back.y, spot.y, "y");
    // No gap on one side while there is picture beyond the other.
    assert.ok(view.left <= 1e-6 || view.left + view.width * view.scale <= 360 + 1e-6);
    assert.ok(view.top <= 1e-6 || view.top + view.height * view.scale <= 270 + 1e-6);
  }
  const whole = pictures.wholeIn(FOIL, PHONE);
  const spot = { x: 200, y: 140 };
  const before = pictures.toPicture(whole, spot);
  const after = pictures.toPicture(pictures.zoomed(whole, 2.5, spot), spot);
  near(after.x, before.x, "x under the finger");
  near(after.y, before.y, "y under the finger");
});

test("zooming ends at the whole picture and at pixels as large as a fingertip's quarter", () => {
  const whole = pictures.wholeIn(FOIL, PHONE);
  assert.deepEqual(pictures.zoomed(pictures.zoomed(whole, 3), 1 / 100), whole);
  near(pictures.zoomed(whole, 1e6).scale, 12, "scale");
  const tiny = pictures.wholeIn({ width: 32, height: 32 }, { width: 800, height: 800 });
  near(pictures.zoomed(tiny, 1e6).scale, 100, "a tiny picture can be enlarged too");
});

test("a turned phone keeps what was in the middle", () => {
  const view = pictures.moved(pictures.zoomed(pictures.wholeIn(FOIL, PHONE), 4), 100, 50);
  const middle = pictures.toPicture(view, { x: 180, y: 135 });
  const turned = pictures.resized(view, { width: 600, height: 300 });
  const after = pictures.toPicture(turned, { x: 300, y: 150 });
  near(after.x, middle.x, "x");
  near(after.y, middle.y, "y");
});

test("a cross that leaves the box is followed, and one inside moves nothing", () => {
  const view = pictures.zoomed(pictures.wholeIn(FOIL, PHONE), 4);
  assert.deepEqual(pictures.showing(view, pictures.toPicture(view, { x: 180, y: 100 })), view);
  const followed = pictures.showing(view, pictures.toPicture(view, { x: 380, y: 100 }));
  near(pictures.toBox(followed, pictures.toPicture(view, { x: 380, y: 100 })).x, 360 - 45, "x");
});

test("the nearest mark within reach is meant", () => {
  const view = pictures.wholeIn(FOIL, FOIL);
  const marks = [{ x: 100, y: 100 }, { x: 120, y: 100 }];
  assert.equal(pictures.markAt(marks, view, { x: 113, y: 100 }, 24), 1);
  assert.equal(pictures.markAt(marks, view, { x: 160, y: 100 }, 24), -1);
  assert.equal(pictures.markAt([], view, { x: 1, y: 1 }, 24), -1);
});

test("the bar of lengths is true and grows with the zoom", () => {
  assert.deepEqual(pictures.lengthBar(50, 1, 100), { widthPx: 100, label: "5 µm" });
  assert.deepEqual(pictures.lengthBar(50, 4, 100), { widthPx: 80, label: "1 µm" });
  assert.equal(pictures.lengthBar(50, 12, 100).label, "200 nm");
  const bar = pictures.lengthBar(37.2, 0.71, 90);
  assert.ok(bar.widthPx <= 90 && bar.widthPx > 90 / 2.5);
  near((bar.widthPx / 0.71) * 37.2, Number.parseFloat(bar.label) * 1000, "nm");
});
