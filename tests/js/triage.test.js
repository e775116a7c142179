/** The pictures before a person, and what the page says of numbers. */

import "./node18.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { Database } from "tektite/lib/database";
import { makeQueue } from "tektite/pages/triage/answers";
import * as decks from "tektite/pages/triage/deck";
import { about, craterLabel, practiceText, progressText, refusedText, unsentText } from "tektite/pages/triage/words";

const showing = (uid) => ({ uid, width_px: 64, height_px: 48, nm_per_px: null, frames: [{ url: `of-${uid}` }] });
const showings = (uids) => [...uids].map(showing);
const open = ({ open: all }) => all.map(({ uid }) => uid).join("");

test("three are handed out, one is answered, another comes", () => {
  let deck = decks.dealt(decks.EMPTY, showings("abc"));
  assert.equal(open(deck), "abc");
  deck = decks.answered(deck);
  assert.equal(open(deck), "bc");
  assert.equal(open(decks.dealt(deck, showings("bcd"))), "bcd");
});

test("an older word of the server brings nothing back that was answered", () => {
  const deck = decks.answered(decks.answered(decks.dealt(decks.EMPTY, showings("abc"))));
  assert.equal(open(decks.dealt(deck, showings("bcd"))), "cd");
  assert.equal(open(decks.dealt(deck, showings("abc"))), "c");
});

test("the picture on the screen stays, whatever the server lists; one that nobody has seen does not", () => {
  const deck = decks.dealt(decks.EMPTY, showings("abc"));
  assert.equal(open(decks.dealt(deck, showings("xyz"), "a")), "axyz");
  assert.equal(open(decks.dealt(deck, [], "a")), "a");
  assert.equal(open(decks.dealt(deck, showings("xyz"))), "xyz", "the test is passed: what was left of it is gone");
  assert.equal(open(decks.withoutWaiting(deck, "a")), "abc");
  assert.equal(open(decks.withoutWaiting(deck, "b")), "ac");
});

test("what is fetched already keeps its place", () => {
  const deck = decks.dealt(decks.EMPTY, showings("abc"));
  assert.equal(open(decks.dealt(deck, showings("cbad"), "a")), "abcd");
});

test("what was taken back lies on top, and may be dealt again", () => {
  const deck = decks.answered(decks.dealt(decks.EMPTY, showings("abc")));
  const back = decks.putBack(deck, showing("a"));
  assert.equal(open(back), "abc");
  assert.equal(open(decks.dealt(back, showings("abc"))), "abc");
  assert.equal(open(decks.answered(back)), "bc");
});

test("a picture whose answer was not taken may be dealt again", () => {
  const deck = decks.answered(decks.dealt(decks.EMPTY, showings("a")));
  assert.equal(open(decks.dealt(deck, showings("a"))), "");
  assert.equal(open(decks.dealt(decks.notDone(deck, "a"), showings("a"))), "a");
});

test("any course of answers and words of the server shows each picture once", () => {
  const draws = (seed) => () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let run = 1; run <= 200; run += 1) {
    const draw = draws(run);
    const server = showings("abcdefghijklmnop");
    let deck = decks.EMPTY;
    const seen = [];
    const stale = [];
    while (seen.length < server.length) {
      const left = server.filter(({ uid }) => !seen.includes(uid)).slice(0, 3);
      stale.push(left);
      // An answer of the server's may be as old as two answers of the person's.
      deck = decks.dealt(deck, draw() < 0.5 ? left : stale.at(-Math.min(stale.length, 3)), deck.open[0]?.uid);
      deck = decks.dealt(deck, left, deck.open[0]?.uid);
      seen.push(deck.open[0].uid);
      deck = decks.answered(deck);
    }
    assert.equal(new Set(seen).size, server.length);
  }
});

test("the line of progress says what is so, answers on their way too", () => {
  const progress = { answered: 214, today: 37, effort: 300, open: 12_345, undo: 10, known: { right: 9, of: 10 } };
  assert.equal(
    progressText(progress),
    "37 today · 214 in all · about 12,000 wait · 9 right of the 10 known pictures you were told about",
  );
  assert.equal(progressText({ ...progress, known: null }, 2), "39 today · 216 in all · about 12,000 wait");
  assert.equal(progressText({ ...progress, open: 1, known: { right: 0, of: 0 } }, 1), "38 today · 215 in all · none wait");
});

test("about: two figures, and small numbers as they are", () => {
  assert.deepEqual([0, 7, 99, 100, 1249, 15_500, 424_000].map(about), ["0", "7", "99", "100", "1,200", "16,000", "420,000"]);
});

test("practice says how far it is and what it takes", () => {
  const practice = { right: 4, answered: 20, needed: 6, last: 8 };
  assert.equal(practiceText(practice), "Practice: 4 right among your last 8; 6 right of 8 opens the real pictures.");
  assert.equal(
    practiceText({ ...practice, answered: 0 }),
    "Practice: nothing answered yet; 6 right of 8 opens the real pictures.",
  );
});

test("bars name what waits, and why", () => {
  assert.equal(
    unsentText(3, "retrying", "The server cannot be reached."),
    "The server cannot be reached. 3 answers wait in this browser and will be sent when it answers again.",
  );
  assert.equal(unsentText(1, "stopped", "Sign in to do this."), "Sign in to do this. 1 answer waits in this browser.");
  assert.match(unsentText(2, "page", ""), /2 answers are in this page alone: leave it open/);
  const parked = [{ message: "It is gone." }, { message: "It is gone." }].map((why) => ({ parked: why }));
  assert.equal(refusedText(parked), "2 answers were not taken: It is gone. Kept in this browser until you decide.");
});

test("the button says how many craters", () => {
  assert.deepEqual([0, 1, 3].map(craterLabel), ["Crater here", "Crater here", "3 craters here"]);
});

test("who signs up in the middle brings along what the server has not got; another person does not", async () => {
  globalThis.indexedDB = new IDBFactory();
  globalThis.BroadcastChannel = undefined; // an open one would keep node from ending
  const entries = new Map();
  globalThis.localStorage = { getItem: (key) => entries.get(key) ?? null, setItem: (key, value) => entries.set(key, value) };
  const config = { workflow: "w", urls: { answers: "nowhere" } };
  const queueOf = (uid, is_anonymous) =>
    makeQueue({ config, database: new Database(), person: { uid, is_anonymous }, judging: {} });
  const keep = (queue, uid) => queue.log.revise(() => ({ put: [{ id: uid, uid, showing: showing("a"), tried: true, parked: null }] }));
  await keep(await queueOf("visitor", true), "first");
  const known = await queueOf("ada", false);
  assert.deepEqual(known.waiting.map(({ uid }) => uid), ["first"]);
  assert.deepEqual((await queueOf("visitor", true)).waiting, []);
  await queueOf("ada", false);
  assert.deepEqual((await queueOf("bob", false)).waiting, []);
});
