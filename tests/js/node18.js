/** What Debian 12's node 18 lacks of what browsers have, and timers that stand still in every node. */

import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;

/** Let setTimeout wait for tick(ms) until the test ends. Node 18's own mock loses timers cleared while they run. */
export function holdTimers(context) {
  const { setTimeout, clearTimeout } = globalThis;
  const waiting = new Map();
  let now = 0;
  let last = 0;
  globalThis.setTimeout = (call, ms) => (waiting.set((last += 1), { call, at: now + ms }), last);
  globalThis.clearTimeout = (id) => waiting.delete(id);
  const reset = () => Object.assign(globalThis, { setTimeout, clearTimeout });
  const due = () => [...waiting].filter(([, { at }]) => at <= now).sort(([, a], [, b]) => a.at - b.at)[0];
  const tick = (ms) => {
    now += ms;
    for (let next = due(); next; next = due()) {
      waiting.delete(next[0]);
      next[1].call();
    }
  };
  context.after(reset);
  context.clock = { tick, reset };
}
