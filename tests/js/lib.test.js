import assert from "node:assert/strict";
import { test } from "node:test";

import { clockText, minutesLeft } from "tektite/lib/clock";
import { CommandStack } from "tektite/lib/commands";
import { interpolate, ngettext } from "tektite/lib/i18n";
import { capsOf, KeyRegistry } from "tektite/lib/keys";
import { nearestStep } from "tektite/lib/steps";
import { newUid } from "tektite/lib/uid";
import { fillUrl } from "tektite/lib/urls";
import "./node18.js";

/** A stack over one number. */
function counter() {
  const stack = new CommandStack(60);
  const state = { value: 0 };
  const add = (step, small = false) => {
    const command = { label: `add ${step}`, subject: "n", step, small };
    command.apply = () => (state.value += command.step);
    command.revert = () => (state.value -= command.step);
    command.absorb = (next) => {
      const takes = command.small && next.small;
      if (takes) {
        command.step += next.step;
      }
      return takes;
    };
    return command;
  };
  return { stack, state, add };
}

test("commands: it works", () => {
  const { stack, state, add } = counter();
  stack.run(add(1));
  stack.run(add(10));
  assert.equal(stack.undo().label, "add 10");
  assert.equal(state.value, 1);
  assert.equal(stack.redo().label, "add 10");
  assert.equal(state.value, 11);
});

test("commands: fifty steps back and forth, and the limit forgets the oldest", () => {
  const { stack, state, add } = counter();
  for (let i = 0; i < 70; i += 1) {
    stack.run(add(1));
  }
  let steps = 0;
  while (stack.undo()) {
    steps += 1;
  }
  assert.equal(steps, 60);
  assert.equal(state.value, 10);
  while (stack.redo());
  assert.equal(state.value, 70);
});

test("commands: a new step forgets what was undone; small steps become one", () => {
  const { stack, state, add } = counter();
  stack.run(add(1));
  stack.undo();
  stack.run(add(2, true));
  stack.run(add(3, true));
  assert.equal(stack.redo(), null);
  stack.undo();
  assert.equal(state.value, 0);
  stack.forget("n");
  assert.equal(stack.redo(), null);
});

const press = (key, more = {}) => ({
  key,
  preventDefault() {
    this.prevented = true;
  },
  getModifierState: () => false,
  ...more,
});
const target = (kind) => ({
  matches: (selector) => selector.split(", ").some((part) => part.split(/[:[]/)[0] === kind),
  closest: () => null,
});

const within = (selector, kind) => ({ ...target(kind), closest: (asked) => (asked === selector ? {} : null) });

function keys() {
  const log = [];
  const registry = new KeyRegistry();
  registry.add(
    { keys: ["d"], group: "Draw", title: "circle", run: () => log.push("circle") },
    { keys: ["Shift+d"], group: "Draw", title: "rim", run: () => log.push("rim") },
    { keys: ["Mod+z"], group: "Everywhere", title: "undo", run: () => log.push("undo"), repeat: true },
    { keys: ["Mod+Enter"], group: "Everywhere", title: "submit", run: () => log.push("submit") },
    { keys: ["Space"], group: "Map", title: "pan", run: () => log.push("pan"), release: () => log.push("stop") },
    { keys: ["["], group: "Draw", title: "smaller", run: () => log.push("smaller"), repeat: true },
    { keys: ["Delete", "Backspace"], group: "Draw", title: "delete", run: () => log.push("delete"), when: () => log.length > 0 },
  );
  return { log, registry };
}

test("keys: it works, with Shift, Ctrl, ⌘ and keys that are held", () => {
  const { log, registry } = keys();
  registry.down(press("d"));
  registry.down(press("D", { shiftKey: true }));
  registry.down(press("z", { ctrlKey: true }));
  registry.down(press("z", { metaKey: true, repeat: true }));
  registry.down(press(" "));
  registry.down(press(" ", { repeat: true }));
  registry.up(press(" "));
  assert.deepEqual(log, ["circle", "rim", "undo", "undo", "pan", "stop"]);
});

test("keys: a button in a dialog that has just closed takes none, though it still has the focus", () => {
  const { log, registry } = keys();
  const key = press(" ", { target: within("dialog:not([open])", "button") });
  assert.equal(registry.down(key), true);
  assert.deepEqual([log, key.prevented], [["pan"], true]);
});

test("keys: two things cannot share one", () => {
  const { registry } = keys();
  assert.throws(() => registry.add({ keys: ["d"], group: "Map", title: "dig", run() {} }), /means "circle" already/);
});

test("keys: off while typing, in dialogs, and where a control needs them", () => {
  const { log, registry } = keys();
  assert.equal(registry.down(press("d", { target: target("textarea") })), false);
  assert.equal(registry.down(press("z", { ctrlKey: true, target: target("input") })), false);
  assert.equal(registry.down(press("d", { target: within("dialog[open]", "p") })), false);
  assert.equal(registry.down(press(" ", { target: target("button") })), false);
  assert.equal(registry.down(press("d", { isComposing: true })), false);
  registry.add({ keys: ["ArrowLeft"], group: "Draw", title: "nudge", run: () => log.push("nudge") });
  assert.equal(registry.down(press("ArrowLeft", { target: target("input") })), false);
  assert.deepEqual(log, []);
  registry.down(press("ArrowLeft", { target: target("button") }));
  registry.down(press("Enter", { ctrlKey: true, target: target("textarea") }));
  registry.down(press("d", { target: target("button") }));
  assert.deepEqual(log, ["nudge", "submit", "circle"]);
});

test("keys: AltGr types a bracket, Alt is the browser's, letters can be switched off", () => {
  const { log, registry } = keys();
  registry.down(press("[", { ctrlKey: true, altKey: true, getModifierState: (name) => name === "AltGraph" }));
  assert.equal(registry.down(press("d", { altKey: true })), false);
  registry.letters = false;
  assert.equal(registry.down(press("d")), false);
  assert.equal(registry.down(press("D", { shiftKey: true })), false);
  registry.down(press("z", { ctrlKey: true }));
  registry.down(press("Delete"));
  assert.deepEqual(log, ["smaller", "undo", "delete"]);
});

test("keys: what cannot be done now is left to the browser", () => {
  const { registry } = keys();
  const event = press("Backspace");
  assert.equal(registry.down(event), false);
  assert.equal(event.prevented, undefined);
});

test("keys: the panel lists all by group, in caps", () => {
  const { registry } = keys();
  assert.deepEqual([...registry.groups().keys()], ["Draw", "Everywhere", "Map"]);
  assert.deepEqual(capsOf("Mod+Shift+z"), ["Ctrl", "⇧", "z"]);
  assert.deepEqual(capsOf("Mod+Enter", true), ["⌘", "↵"]);
  assert.deepEqual(capsOf("+"), ["+"]);
});

test("UUIDs are version 4, with and without crypto.randomUUID", () => {
  const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(newUid(), shape);
  const original = globalThis.crypto.randomUUID;
  Object.defineProperty(globalThis.crypto, "randomUUID", { value: undefined, configurable: true });
  assert.match(newUid(), shape);
  assert.notEqual(newUid(), newUid());
  Object.defineProperty(globalThis.crypto, "randomUUID", { value: original, configurable: true });
});

test("addresses are filled, escaped, and complain about what is missing", () => {
  assert.equal(fillUrl("/marks/{uid}", { uid: "a/b" }, { version: 3, gamma: null }), "/marks/a%2Fb?version=3");
  assert.throws(() => fillUrl("/marks/{uid}", {}), /needs a value for uid/);
});

test("texts and times", () => {
  assert.equal(interpolate("Tile %(n)s of %(of)s", { n: 3, of: 64 }), "Tile 3 of 64");
  assert.equal(ngettext("crater", "craters", 2), "craters");
  assert.equal(clockText(new Date(2026, 0, 1, 9, 5)), "09:05");
  assert.equal(minutesLeft("2026-01-01T10:00:00Z", Date.parse("2026-01-01T09:06:30Z")), 54);
});

test("a slider stands at the step whose odds are nearest, and nowhere for what is no probability", () => {
  const steps = [0.000001, 0.001, 0.01, 0.5, 0.99, 0.9999];
  assert.equal(nearestStep(steps, 0.01), 2);
  assert.equal(nearestStep(steps, 0.0031), 1);
  assert.equal(nearestStep(steps, 0.004), 2);
  assert.equal(nearestStep(steps, 0.9991), 5);
  assert.equal(nearestStep(steps, 1e-9), 0);
  for (const wrong of [0, 1, -0.1, 2, NaN]) {
    assert.equal(nearestStep(steps, wrong), null);
  }
  assert.equal(nearestStep([], 0.5), null);
});
