/** Fingers and mice on a picture. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Touches } from "tektite/pages/triage/touches";

globalThis.WheelEvent ??= { DOM_DELTA_PIXEL: 0 };

/** An element at (100, 50) of the window, with one mark at (20, 20). */
function setUp({ isReady = true } = {}) {
  const listeners = new Map();
  const done = [];
  const element = {
    addEventListener: (type, run) => listeners.set(type, run),
    setPointerCapture: () => {},
    getBoundingClientRect: () => ({ left: 100, top: 50 }),
  };
  new Touches(element, {
    grab: ({ x, y }, reach) => (Math.hypot(x - 20, y - 20) <= reach ? 0 : -1),
    dragMark: (index, { x, y }) => done.push(["drag", index, x, y]),
    pan: (dx, dy) => done.push(["pan", dx, dy]),
    zoom: (factor, { x, y }) => done.push(["zoom", factor, x, y]),
    tap: ({ x, y }, reach) => done.push(["tap", x, y, reach]),
    isReady: () => isReady,
  });
  const send = (type, x, y, more = {}) =>
    listeners.get(type)?.({
      type, clientX: x + 100, clientY: y + 50, pointerId: 1, pointerType: "touch", button: 0, preventDefault: () => {}, ...more,
    });
  return { send, done };
}

test("a tap marks where the finger came down, however it trembled", () => {
  const { send, done } = setUp();
  send("pointerdown", 60, 70);
  send("pointermove", 65, 73);
  send("pointerup", 65, 73);
  assert.deepEqual(done, [["tap", 60, 70, 28]]);
});

test("a mouse is more exact than a finger, and its other buttons mark nothing", () => {
  const { send, done } = setUp();
  const mouse = { pointerType: "mouse" };
  send("pointerdown", 60, 70, { ...mouse, button: 2 });
  send("pointerup", 60, 70, { ...mouse, button: 2 });
  send("pointerdown", 60, 70, mouse);
  send("pointermove", 66, 70, mouse);
  send("pointerup", 66, 70, mouse);
  assert.deepEqual(done, [["pan", 6, 0]]);
});

test("a finger on a mark moves it, one beside it moves the picture", () => {
  const { send, done } = setUp();
  send("pointerdown", 25, 20);
  send("pointermove", 45, 30);
  send("pointerup", 45, 30);
  assert.deepEqual(done.splice(0), [["drag", 0, 45, 30]]);
  send("pointerdown", 100, 20);
  send("pointermove", 120, 25);
  send("pointermove", 121, 26);
  send("pointerup", 121, 26);
  assert.deepEqual(done, [["pan", 20, 5], ["pan", 1, 1]]);
});

test("two fingers enlarge about their middle and mark nothing", () => {
  const { send, done } = setUp();
  send("pointerdown", 100, 100);
  send("pointerdown", 200, 100, { pointerId: 2 });
  send("pointermove", 300, 100, { pointerId: 2 });
  assert.deepEqual(done.splice(0), [["pan", 50, 0], ["zoom", 2, 200, 100]]);
  send("pointerup", 300, 100, { pointerId: 2 });
  send("pointermove", 130, 100);
  send("pointerup", 130, 100);
  assert.deepEqual(done, []);
});

test("a press that the browser takes away is no tap", () => {
  const { send, done } = setUp();
  send("pointerdown", 60, 70);
  send("pointercancel", 60, 70);
  send("pointerdown", 60, 70);
  send("pointerup", 60, 70);
  assert.deepEqual(done, [["tap", 60, 70, 28]]);
});

test("the wheel enlarges under the mouse; without a picture nothing happens", () => {
  const { send, done } = setUp();
  send("wheel", 10, 20, { deltaY: -100, deltaMode: 0 });
  const [[what, factor, x, y]] = done;
  assert.deepEqual([what, x, y], ["zoom", 10, 20]);
  assert.ok(factor > 1.1 && factor < 1.3);
  const empty = setUp({ isReady: false });
  empty.send("pointerdown", 10, 10);
  empty.send("pointerup", 10, 10);
  empty.send("wheel", 10, 20, { deltaY: -100, deltaMode: 0 });
  assert.deepEqual(empty.done, []);
});
