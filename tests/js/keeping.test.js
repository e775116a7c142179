/** What else is kept in the browser, and how people take it with them. */

import "./node18.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { rimsGeojson } from "tektite/geo/geojson";
import { distanceM } from "tektite/geo/sphere";
import { Database } from "tektite/lib/database";
import { Drafts } from "tektite/lib/drafts";
import { carryOver } from "tektite/lib/legacy_saves";

const MOON = { name: "moon", radius_m: 1_737_400 };
const RIM = { tool: "rim", points: [[1, 2]] };

const open = (participant = "ada") => new Drafts({ database: new Database(), participant });
const written = () => new Promise((resolve) => setTimeout(resolve, 20));

test("a shape that is not finished is found again, at its own visit and by its own person", async () => {
  globalThis.indexedDB = new IDBFactory();
  const drafts = open();
  assert.equal(await drafts.enter("v"), null);
  drafts.set(RIM);
  await written();
  const { tool, points } = await open().enter("v");
  assert.deepEqual({ tool, points }, RIM);
  assert.equal(await open().enter("another"), null);
  assert.equal(await open("bob").enter("v"), null);
  drafts.set(null);
  await written();
  assert.equal(await open().enter("v"), null);
});

test("where nothing can be kept, an unfinished shape is at risk and says so", async () => {
  const forbidden = { open: () => Promise.reject(new Error("SecurityError")) };
  const drafts = new Drafts({ database: forbidden, participant: "ada" });
  assert.equal(await drafts.enter("v"), null);
  assert.equal(drafts.isAtRisk, false);
  drafts.set(RIM);
  await written();
  assert.equal(drafts.isAtRisk, true);
  drafts.set(null);
  assert.equal(drafts.isAtRisk, false);
});

function storageOf(entries) {
  const map = new Map(entries.map(([key, save]) => [key, JSON.stringify(save)]));
  return {
    map,
    get length() {
      return map.size;
    },
    key: (i) => [...map.keys()][i],
    getItem: (key) => map.get(key),
    removeItem: (key) => map.delete(key),
  };
}

test("saves of the old layout come over in order; what is another's, or could not be kept, stays", async () => {
  const old = (id, at, visit) => [`tektite.save.c.${id}`, { id, at, visit, mark: id, kind: "draw", body: {}, base: 0 }];
  const storage = storageOf([
    old("second", 2, "mine"),
    old("first", 1, "mine"),
    old("hers", 3, "hers"),
    old("unkept", 4, "mine"),
    ["tektite.keys.letters", "off"],
  ]);
  const kept = [];
  const keep = async ({ mark }) => mark !== "unkept" && Boolean(kept.push(mark));
  await carryOver({ storage, campaign: "c", isMine: async (visit) => visit === "mine", keep });
  assert.deepEqual(kept, ["first", "second"]);
  assert.deepEqual([...storage.map.keys()], ["tektite.save.c.hers", "tektite.save.c.unkept", "tektite.keys.letters"]);
});

test("a file of marks: rims all round, in one piece across ±180°, with what was drawn beside them", () => {
  const drawn = { uid: "m", lon: 179.9, lat: 10, diameter_m: 40_000, uncertain: true };
  const { features, body } = rimsGeojson([drawn], MOON);
  assert.equal(body, "moon");
  assert.deepEqual(features[0].properties, drawn);
  const [ring] = features[0].geometry.coordinates;
  assert.deepEqual(ring[0], ring.at(-1));
  for (const corner of ring) {
    assert.ok(Math.abs(distanceM([179.9, 10], corner, MOON.radius_m) - 20_000) < 1e-3);
    assert.ok(Math.abs(corner[0] - 179.9) < 2);
  }
  const twiceTheArea = ring.slice(1).reduce((sum, [x, y], i) => sum + ring[i][0] * y - x * ring[i][1], 0);
  assert.ok(twiceTheArea > 0, "not counterclockwise");
});
