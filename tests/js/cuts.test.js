/** Cut-outs on their way to the server: shown at once, kept in the browser, shown as they are when it says otherwise. */

import "./node18.js";
import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { test } from "node:test";

import { Database } from "tektite/lib/database";
import { Cuts } from "tektite/pages/foil_cut/cuts";

import { until } from "./browser.js";

// One tab is enough here, and an open channel would keep node from ending.
delete globalThis.BroadcastChannel;

const POINTS = [{ x: 10, y: 8 }, { x: 30, y: 8 }, { x: 30, y: 28 }];
const URLS = { cut_outs: "/cut-outs" };

/** A server that keeps cut-outs by uid; `refuses` is the answer to whatever changes something. */
class Server {
  constructor() {
    this.kept = new Map();
    this.refuses = null;
    this.isGone = false;
    this.asked = [];
    globalThis.fetch = (url, options) => this.#answer(url, options);
    globalThis.document = { querySelector: () => null, cookie: "" };
  }

  told({ uid, frame = 0, polygon, withdrawn_at = null }) {
    const own = { url: `/${uid}.png`, withdraw_url: `/${uid}/withdraw`, restore_url: `/${uid}/restore` };
    return { uid, frame, polygon, withdrawn_at, diameter_px: 16, by: "ada", at: "2026-11-21", ...own };
  }

  async #answer(url, { method, body }) {
    if (this.isGone) {
      throw new TypeError("no network");
    }
    const [status, said] = this.#do(method, url, JSON.parse(body ?? "{}"));
    return { ok: status < 400, status, headers: new Headers(), json: async () => said };
  }

  #do(method, url, given) {
    if (method === "GET") {
      return [200, { cut_outs: [...this.kept.values()] }];
    }
    this.asked.push(url);
    if (this.refuses) {
      return [this.refuses.status, this.refuses];
    }
    const [, uid, step] = url.split("/");
    if (url === URLS.cut_outs) {
      this.#withdraw(given.mends);
      this.kept.set(given.uid, this.kept.get(given.uid) ?? this.told(given));
      return [201, this.kept.get(given.uid)];
    }
    this.kept.set(uid, { ...this.kept.get(uid), withdrawn_at: step === "withdraw" ? "2026-11-21" : null });
    return [200, this.kept.get(uid)];
  }

  #withdraw(uid) {
    if (uid) {
      this.kept.set(uid, { ...this.kept.get(uid), withdrawn_at: "2026-11-21" });
    }
  }
}

let pictures = 0;

async function setUp(server, picture = `picture ${(pictures += 1)}`) {
  const config = { participant: "ada", picture: { uid: picture }, cut_outs: [...server.kept.values()], urls: URLS };
  const cuts = new Cuts(config, new Database());
  await cuts.open();
  return { cuts, picture };
}

const settled = (cuts) => until(() => !cuts.queue.waiting.length && !cuts.queue.isSending);

test("a cut-out is shown at once and becomes what the server keeps", async () => {
  const server = new Server();
  const { cuts } = await setUp(server);
  const kept = [];
  cuts.addEventListener("kept", ({ detail }) => kept.push(detail));
  cuts.cut(POINTS, 0, 16, null);
  assert.deepEqual(cuts.standing.map(({ url }) => url), [undefined]);
  await settled(cuts);
  const [{ uid, url, polygon }] = cuts.standing;
  assert.equal(url, `/${uid}.png`);
  assert.deepEqual(polygon, [[10, 8], [30, 8], [30, 28]]);
  assert.deepEqual(kept.map(({ cut, mends }) => [cut.uid, mends]), [[uid, null]]);
});

test("mending withdraws the old one, and undoing that turns both round", async () => {
  const server = new Server();
  server.kept.set("old", server.told({ uid: "old", polygon: [[1, 1], [9, 1], [5, 9]] }));
  const { cuts } = await setUp(server);
  cuts.cut(POINTS, 0, 16, "old");
  assert.equal(cuts.withdrawn[0].uid, "old");
  await settled(cuts);
  const [mended] = cuts.standing;
  cuts.withdraw(mended);
  cuts.restore(cuts.byUid.get("old"));
  await settled(cuts);
  assert.deepEqual(cuts.standing.map(({ uid }) => uid), ["old"]);
  assert.equal(server.kept.get("old").withdrawn_at, null);
});

test("what the server refuses is shown as it is, and said", async () => {
  const server = new Server();
  server.kept.set("old", server.told({ uid: "old", polygon: [] }));
  const { cuts } = await setUp(server);
  const said = [];
  cuts.addEventListener("refused", ({ detail }) => said.push(detail));
  server.refuses = { status: 409, code: "conflict", message: "Another was sent." };
  cuts.cut(POINTS, 0, 16, "old");
  await settled(cuts);
  cuts.withdraw(cuts.byUid.get("old"));
  await settled(cuts);
  assert.deepEqual(cuts.standing.map(({ uid }) => uid), ["old"]);
  assert.deepEqual(said, ["Another was sent.", "Another was sent."]);
});

test("what cannot be sent is in the browser, and the next page sends it", async () => {
  const server = new Server();
  const { cuts, picture } = await setUp(server);
  server.isGone = true;
  cuts.cut(POINTS, 1, 16, null);
  await until(() => cuts.queue.state === "retrying");
  clearTimeout(cuts.queue.timer);
  server.isGone = false;
  const { cuts: next } = await setUp(server, picture);
  await settled(next);
  assert.equal(next.standing.length, 1);
  assert.equal([...server.kept.values()][0].frame, 1);
});

test("a page learns of what the one before it was still sending", async () => {
  const server = new Server();
  const { cuts: before } = await setUp(server, "the same");
  const config = { participant: "ada", picture: { uid: "the same" }, cut_outs: [], urls: URLS };
  before.cut(POINTS, 0, 16, null);
  await settled(before);
  const cuts = new Cuts(config, new Database());
  await cuts.open();
  assert.equal(cuts.standing.length, 1);
});
