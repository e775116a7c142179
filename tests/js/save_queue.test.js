import "./node18.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import { Browser, Tab, until } from "./browser.js";
import { MarkServer, offline, refusal } from "./mark_server.js";
import { holdTimers } from "./node18.js";

async function setUp(context, { server = new MarkServer(), browser = new Browser(), choice = "mine", ...options } = {}) {
  holdTimers(context);
  const tab = await Tab.open(browser, (save) => server.send(save), { onConflict: async () => choice, ...options });
  const { queue, events } = tab;
  return { tab, queue, server, browser, events };
}

const SHAPE = { lon: 1, lat: 2, diameter_m: 900 };
const draw = (mark = "m", visit = "v") => ({ visit, tile: 1, mark, kind: "draw", body: SHAPE, shape: SHAPE, base: 0 });
const change = (body, base = 1) => ({ ...draw(), kind: "change", body, shape: { ...SHAPE, ...body }, base });
const remove = (base) => ({ ...change({}, base), kind: "delete" });
const theirs = (server, mark) => server.store({ id: "theirs" }, { uid: "m", lon: 9, lat: 9, diameter_m: 1, ...mark });
const kept = async (queue) => (await queue.log.revise(() => ({}))).saves;

test("it works: drawn, changed, deleted, restored, each on the version before", async (context) => {
  const { queue, server, events } = await setUp(context);
  queue.add(draw());
  queue.add(change({ lon: 5 }, 0));
  queue.add(remove(0));
  queue.add({ ...remove(0), kind: "restore" });
  assert.equal(queue.unkept, 4);
  await queue.settled("v");
  assert.deepEqual(events, ["saved draw v1", "saved change v2", "saved delete v3", "saved restore v4"]);
  assert.equal(server.marks.get("m").lon, 5);
  await until(() => queue.state === "idle");
  assert.equal((await kept(queue)).length, 0);
  assert.equal(queue.unkept, 0);
  assert.equal(queue.lastSavedAt, Date.parse(server.marks.get("m").updated_at));
});

test("a save is kept only once the database has said so", async (context) => {
  const { queue, server } = await setUp(context);
  server.before = [offline];
  const adding = queue.add(draw());
  assert.equal(queue.unkept, 1);
  assert.equal(await adding, true);
  assert.equal(queue.unkept, 0);
  assert.equal((await kept(queue)).length, 1);
});

test("small steps that wait become one", async (context) => {
  const { queue, server } = await setUp(context);
  server.before = [offline];
  queue.add(draw());
  for (let i = 0; i < 10; i += 1) {
    queue.add(change({ diameter_m: 900 + i }, 0));
  }
  await until(() => queue.writing.size === 0 && !queue.isSending);
  assert.deepEqual(queue.waiting.map(({ kind }) => kind), ["draw", "change"]);
  queue.resume();
  await queue.settled("v");
  assert.equal(server.marks.get("m").diameter_m, 909);
  assert.equal(server.marks.get("m").version, 2);
});

test("without an answer it tries again, ever more slowly, and keeps the save", async (context) => {
  const { queue, server } = await setUp(context);
  server.before = [offline, refusal(503), offline];
  queue.add(draw());
  for (const wait of [1000, 2000, 4000]) {
    await until(() => queue.state === "retrying");
    assert.equal(server.marks.size, 0);
    assert.equal((await kept(queue)).length, 1);
    await until(() => !queue.isSending);
    context.clock.tick(wait);
    await until(() => queue.state !== "retrying" || queue.isSending === false);
  }
  await until(() => queue.state === "idle");
  assert.equal(server.marks.size, 1);
});

test("a reload replays what was not saved, in the order of drawing and not of any clock", async (context) => {
  const { queue, tab, server, browser } = await setUp(context);
  server.before = [offline, offline, offline];
  const now = Date.now;
  await queue.add(draw());
  Date.now = () => now() - 9 * 3600_000; // the clock was set back
  await queue.add(change({ lat: 3 }, 0));
  Date.now = now;
  await until(() => !queue.isSending);
  server.before = [];
  tab.die();
  context.clock.reset();

  const again = await setUp(context, { server, browser });
  assert.deepEqual(again.queue.pendingOf("v").map(({ kind }) => kind), ["draw", "change"]);
  again.queue.resume();
  await again.queue.settled("v");
  assert.equal(server.marks.get("m").lat, 3);
});

test("an answer lost on the way asks nobody and changes nothing twice", async (context) => {
  const { queue, server, events } = await setUp(context);
  const retry = async () => {
    await until(() => queue.state === "retrying" && !queue.isSending);
    context.clock.tick(60_000);
    await queue.settled("v");
  };
  server.after = [offline];
  queue.add(draw());
  await retry();
  server.after = [offline];
  queue.add(change({ lon: 0.1 + 0.2 }));
  await retry();
  server.after = [offline];
  queue.add(remove(2));
  await retry();
  assert.ok(!events.includes("asked"));
  assert.equal(server.marks.get("m").version, 3);
  assert.equal(server.marks.get("m").deleted, true);
});

test("signed out, or somebody else signed in: it waits with everything kept until asked to go on", async (context) => {
  for (const [problem, state] of [
    [refusal(401), "signed_out"],
    [refusal(409, "other_person"), "other_person"],
  ]) {
    const { queue, server } = await setUp(context);
    server.before = [problem, problem];
    await queue.add(draw());
    await until(() => queue.state === state && !queue.isSending);
    await queue.add(draw("n"));
    await until(() => queue.state === state && !queue.isSending);
    assert.equal((await kept(queue)).length, 2);
    assert.equal(queue.parked.length, 0);
    queue.resume();
    await queue.settled("v");
    assert.equal(server.marks.size, 2);
    context.clock.reset();
  }
});

test("another person's saves are neither seen nor sent", async (context) => {
  const { queue, server, browser } = await setUp(context);
  server.before = [refusal(401)];
  await queue.add(draw());
  await until(() => queue.state === "signed_out");
  const bob = await Tab.open(browser, (save) => server.send(save), { participant: "bob" });
  await bob.queue.resume();
  assert.equal(bob.queue.saves.length, 0);
  assert.equal(server.marks.size, 0);
});

test("a shape that is refused waits for a word, with what follows on it; the rest goes on", async (context) => {
  const { queue, server, events } = await setUp(context);
  server.before = [refusal(400)];
  queue.add(draw());
  queue.add(change({ lon: 2 }, 0));
  queue.add(draw("n"));
  await until(() => events.includes("saved draw v1"));
  assert.deepEqual(events, ["parked draw: Refused with 400.", "parked change: Refused with 400.", "saved draw v1"]);
  assert.deepEqual(queue.parked.map(({ mark }) => mark), ["m", "m"]);
  await queue.settled("v");
});

test("a tile that is lost keeps what was drawn on it, for a download, another try, or an end", async (context) => {
  for (const status of [403, 404, 409]) {
    const { queue, server, events, browser } = await setUp(context);
    server.before = [refusal(status, "lease_lost")];
    queue.add(draw());
    queue.add(draw("n"));
    queue.add(draw("o", "another visit"));
    await until(() => events.includes("saved draw v1"));
    assert.deepEqual(queue.parked.map(({ mark }) => mark), ["m", "n"]);
    assert.equal(queue.parked[0].parked.message, `Refused with ${status}.`);
    const reloaded = await Tab.open(browser, (save) => server.send(save));
    assert.equal(reloaded.queue.parked.length, 2);
    await queue.retryParked();
    await until(() => server.marks.size === 3);
    await until(() => reloaded.queue.parked.length === 0);
    server.before = [refusal(status)];
    queue.add(change({ lon: 7 }));
    await until(() => queue.parked.length === 1);
    await queue.discardParked();
    assert.equal((await kept(queue)).length, 0);
    context.clock.reset();
  }
});

test("a conflict is asked about: mine is sent on top of theirs", async (context) => {
  const { queue, server, events } = await setUp(context);
  theirs(server, { version: 7, deleted: false });
  queue.add(change({ lon: 4 }));
  await queue.settled("v");
  assert.deepEqual(events, ["asked", "saved change v8"]);
  assert.equal(server.marks.get("m").lon, 4);
});

test("a conflict is asked about: theirs stays, and what was mine is forgotten", async (context) => {
  const { queue, server, events } = await setUp(context, { choice: "theirs" });
  theirs(server, { version: 7, deleted: false });
  queue.add(change({ lon: 4 }));
  queue.add(remove(1));
  await queue.settled("v");
  assert.deepEqual(events, ["asked", "theirs v7"]);
  assert.equal(server.marks.get("m").lon, 9);
});

test("mine over one that was deleted elsewhere: it is restored first", async (context) => {
  const { queue, server } = await setUp(context);
  theirs(server, { version: 7, deleted: true });
  queue.add(change({ lon: 4 }));
  await queue.settled("v");
  const { version, deleted, lon } = server.marks.get("m");
  assert.deepEqual({ version, deleted, lon }, { version: 9, deleted: false, lon: 4 });
});

test("a page that nobody sees asks nothing: it leaves the question to one that is seen", async (context) => {
  const server = new MarkServer();
  const { queue, browser, events } = await setUp(context, { server, choice: "later" });
  theirs(server, { version: 7, deleted: false });
  await queue.add(change({ lon: 4 }));
  await until(() => queue.state === "retrying" && !queue.isSending);
  const seen = await Tab.open(browser, (save) => server.send(save));
  await seen.queue.resume();
  assert.equal(server.marks.get("m").lon, 4);
  await until(() => queue.state === "idle");
  assert.deepEqual(events, ["asked", "saved change v8"]);
});

test("two tabs: one sends for both, and both know what was saved", async (context) => {
  const { queue, server, browser, events } = await setUp(context);
  const other = await Tab.open(browser, (save) => server.send(save));
  server.before = [offline];
  await queue.add(draw());
  await until(() => queue.state === "retrying" && other.queue.saves.length === 1);
  await other.queue.add(draw("n"));
  await until(() => queue.state === "idle" && other.queue.state === "idle" && server.marks.size === 2);
  await until(() => events.length === 3);
  assert.deepEqual(events, ["added draw", "saved draw v1", "saved draw v1"]);
  assert.deepEqual(other.events, ["added draw", "saved draw v1", "saved draw v1"]);
  assert.deepEqual([...server.done.values()], [1, 1]);
});

test("a database that is full or forbidden stops nobody, and says that the page must stay open", async (context) => {
  for (const fail of ["full", "forbidden"]) {
    const { queue, tab, server } = await setUp(context);
    server.before = [offline, offline];
    await queue.add(draw("kept"));
    await until(() => queue.state === "retrying" && !queue.isSending);
    const { revise } = tab.log;
    tab.log.revise = async (step) => {
      if (fail === "forbidden" || (step([]).put ?? []).length) {
        throw new Error("QuotaExceededError");
      }
      return revise(step);
    };
    assert.equal(await queue.add(draw()), false);
    assert.equal(queue.unkept, 2);
    await until(() => queue.state === "retrying" && !queue.isSending);
    queue.resume();
    await until(() => queue.state === "idle");
    assert.equal(queue.unkept, 0);
    assert.deepEqual([...server.marks.keys()], ["kept", "m"]);
    tab.log.revise = revise;
    // There is room again: nothing is left over, and the next one is kept as ever.
    server.before = [offline];
    assert.equal(await queue.add(draw("next")), true);
    context.clock.reset();
  }
});

test("a database that the browser takes away is filled again from the page", async (context) => {
  const { queue, server } = await setUp(context);
  server.before = [offline];
  await queue.add(draw());
  await until(() => !queue.isSending);
  await queue.log.revise((saves) => ({ drop: saves }));
  await queue.keepAgain();
  await until(() => queue.state === "idle");
  assert.equal(server.marks.size, 1);
});
