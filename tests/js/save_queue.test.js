import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "tektite/lib/api";
import { SaveQueue } from "tektite/lib/save_queue";
import { holdTimers } from "./node18.js";

/** The browser's storage, and a server that keeps marks as ours does. */
class MemoryStorage extends Map {
  get length() {
    return this.size;
  }
  key(i) {
    return [...this.keys()][i];
  }
  getItem(key) {
    return this.get(key) ?? null;
  }
  setItem(key, value) {
    this.set(key, value);
  }
  removeItem(key) {
    this.delete(key);
  }
}

class Server {
  marks = new Map();
  log = [];
  /** @type {((save: object) => Error|null)[]} Taken one by one: what goes wrong before the request is handled. */
  before = [];
  /** The same after it was handled: the answer is lost. */
  after = [];

  async send(save) {
    this.log.push(save.kind);
    const early = this.before.shift()?.(save);
    if (early) {
      throw early;
    }
    const mark = this.handle(save);
    const late = this.after.shift()?.(save);
    if (late) {
      throw late;
    }
    return mark;
  }

  handle(save) {
    const known = this.marks.get(save.mark);
    if (save.kind === "draw") {
      return known ?? this.store(save.mark, { uid: save.mark, version: 1, deleted: false, ...save.body });
    }
    if (known.version !== save.base) {
      throw new ApiError("Changed.", { status: 409, code: "conflict", current: known });
    }
    const patch = { change: save.body, delete: { deleted: true }, restore: { deleted: false } }[save.kind];
    return this.store(save.mark, { ...known, ...patch, version: known.version + 1 });
  }

  store(uid, mark) {
    this.marks.set(uid, mark);
    return mark;
  }
}

const offline = () => new ApiError("No connection.");
const refusal = (status) => () => new ApiError(`Refused with ${status}.`, { status });

function setUp(context, { server = new Server(), storage = new MemoryStorage(), choice = "mine" } = {}) {
  holdTimers(context);
  const events = [];
  const queue = new SaveQueue({
    send: (save) => server.send(save),
    storage,
    prefix: "tektite.save.",
    onSaved: (save, mark) => events.push(`saved ${save.kind} v${mark.version}`),
    onDropped: (save, error) => events.push(`dropped ${save.kind}: ${error.message}`),
    onConflict: async () => (events.push("asked"), choice),
    onTheirs: (mark) => events.push(`theirs v${mark.version}`),
  });
  return { queue, server, storage, events };
}

const draw = (mark = "m") => ({ visit: "v", mark, kind: "draw", body: { lon: 1, lat: 2, diameter_m: 900 }, base: 0 });
const change = (body, base = 1) => ({ visit: "v", mark: "m", kind: "change", body, base });
const remove = (base) => ({ visit: "v", mark: "m", kind: "delete", body: {}, base });
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("it works: drawn, changed, deleted, restored, each on the version before", async (context) => {
  const { queue, server, storage, events } = setUp(context);
  queue.add(draw());
  queue.add(change({ lon: 5 }, 0));
  queue.add(remove(0));
  queue.add({ ...remove(0), kind: "restore" });
  assert.equal(queue.state, "saving");
  await queue.settled("v");
  await turn();
  assert.deepEqual(events, ["saved draw v1", "saved change v2", "saved delete v3", "saved restore v4"]);
  assert.equal(server.marks.get("m").lon, 5);
  assert.equal(queue.state, "idle");
  assert.equal(storage.size, 0);
  assert.ok(queue.lastSavedAt instanceof Date);
});

test("small steps that wait become one", async (context) => {
  const { queue, server } = setUp(context);
  queue.add(draw());
  for (let i = 0; i < 10; i += 1) {
    queue.add(change({ diameter_m: 900 + i }, 0));
  }
  await queue.settled("v");
  assert.deepEqual(server.log, ["draw", "change"]);
  assert.equal(server.marks.get("m").diameter_m, 909);
});

test("without an answer it tries again, ever more slowly, and keeps the save in the storage", async (context) => {
  const { queue, server, storage } = setUp(context);
  server.before = [offline, refusal(503), offline];
  queue.add(draw());
  await turn();
  assert.equal(queue.state, "retrying");
  assert.equal(storage.size, 1);
  for (const wait of [1000, 2000, 4000]) {
    assert.equal(server.marks.size, 0);
    context.clock.tick(wait);
    await turn();
  }
  assert.equal(server.marks.size, 1);
  assert.equal(queue.state, "idle");
});

test("a reload replays what was not saved", async (context) => {
  const { queue, server, storage } = setUp(context);
  server.before = [offline];
  queue.add(draw());
  queue.add(change({ lat: 3 }, 0));
  await turn();
  context.clock.reset();

  const again = setUp(context, { server, storage });
  assert.deepEqual(again.queue.pendingOf("v").map(({ kind }) => kind), ["draw", "change"]);
  again.queue.resume();
  await again.queue.settled("v");
  assert.equal(server.marks.get("m").lat, 3);
});

test("an answer lost on the way asks nobody and changes nothing twice", async (context) => {
  const { queue, server, events } = setUp(context);
  server.after = [offline, null, offline];
  queue.add(draw());
  await turn();
  context.clock.tick(1000);
  await turn();
  queue.add(change({ lon: 0.1 + 0.2 }));
  await turn();
  server.after = [offline];
  queue.add(remove(2));
  await turn();
  context.clock.tick(5000);
  await turn();
  assert.equal(queue.state, "idle");
  assert.ok(!events.includes("asked"));
  assert.equal(server.marks.get("m").version, 3);
  assert.equal(server.marks.get("m").deleted, true);
});

test("signed out: it waits with everything kept until asked to go on", async (context) => {
  const { queue, server } = setUp(context);
  server.before = [refusal(401)];
  queue.add(draw());
  queue.add(draw("n"));
  await turn();
  assert.equal(queue.state, "signed_out");
  assert.equal(queue.saves.length, 2);
  queue.resume();
  await queue.settled("v");
  assert.equal(server.marks.size, 2);
});

test("refused for good: drawn again from nothing is dropped aloud, with what follows on it", async (context) => {
  const { queue, server, events } = setUp(context);
  server.before = [refusal(400)];
  queue.add(draw());
  queue.add(change({ lon: 2 }, 0));
  queue.add(draw("n"));
  await queue.settled("v");
  assert.deepEqual(events, ["dropped draw: Refused with 400.", "saved draw v1"]);
});

test("not ours to save, or the tile is closed: it stops and waits for a word", async (context) => {
  for (const status of [403, 404, 409]) {
    const { queue, server, events } = setUp(context);
    server.before = [refusal(status)];
    queue.add(draw());
    await turn();
    assert.equal(queue.state, "refused");
    assert.equal(queue.saves.length, 1);
    queue.discardFirst();
    assert.deepEqual(events, [`dropped draw: Refused with ${status}.`]);
    assert.equal(queue.state, "idle");
    context.clock.reset();
  }
});

test("a conflict is asked about: mine is sent on top of theirs", async (context) => {
  const { queue, server, events } = setUp(context);
  server.store("m", { uid: "m", version: 7, deleted: false, lon: 9, lat: 9, diameter_m: 1 });
  queue.add(change({ lon: 4 }));
  await queue.settled("v");
  assert.deepEqual(events, ["asked", "saved change v8"]);
  assert.equal(server.marks.get("m").lon, 4);
});

test("a conflict is asked about: theirs stays, and what was mine is forgotten", async (context) => {
  const { queue, server, events } = setUp(context, { choice: "theirs" });
  server.store("m", { uid: "m", version: 7, deleted: false, lon: 9, lat: 9, diameter_m: 1 });
  queue.add(change({ lon: 4 }));
  queue.add(remove(1));
  await queue.settled("v");
  assert.deepEqual(events, ["asked", "theirs v7"]);
  assert.equal(server.marks.get("m").lon, 9);
});

test("mine over one that was deleted elsewhere: it is restored first", async (context) => {
  const { queue, server } = setUp(context);
  server.store("m", { uid: "m", version: 7, deleted: true, lon: 9, lat: 9, diameter_m: 1 });
  queue.add(change({ lon: 4 }));
  await queue.settled("v");
  assert.deepEqual(server.marks.get("m"), { uid: "m", version: 9, deleted: false, lon: 4, lat: 9, diameter_m: 1 });
});

test("a storage that is full or forbidden stops nobody", async (context) => {
  const storage = new MemoryStorage();
  storage.setItem = () => {
    throw new Error("QuotaExceededError");
  };
  const { queue, server } = setUp(context, { storage });
  queue.add(draw());
  await queue.settled("v");
  assert.equal(server.marks.size, 1);
});
