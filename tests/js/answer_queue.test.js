/** Answers on their way: none lost, none counted twice, whatever dies in between. */

import "./node18.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { openDB } from "idb";
import { AnswerQueue } from "tektite/lib/answer_queue";
import { Database } from "tektite/lib/database";
import { SaveLog } from "tektite/lib/save_log";

import { Browser, until } from "./browser.js";
import { offline, refusal } from "./mark_server.js";
import { holdTimers } from "./node18.js";

/** Takes each uid once, as the real one; `before` are faults to come, `after` ones that come once it has stored. */
class AnswerServer {
  constructor() {
    this.stored = new Map();
    this.requests = [];
    this.before = [];
    this.after = [];
  }

  async send({ uid, showing, answer }) {
    this.requests.push(uid);
    const fault = this.before.shift();
    if (fault) {
      throw fault();
    }
    this.stored.set(uid, { showing: showing.uid, answer });
    const lost = this.after.shift();
    if (lost) {
      throw lost();
    }
    return { uid };
  }
}

let uids = 0;
const given = (answer = "nothing") => {
  uids += 1;
  const uid = `answer-${uids}`;
  return { id: uid, uid, showing: { uid: `showing-${uids}` }, answer, marks: [], duration_ms: 900 };
};

function openTab(browser, server, database = new Database()) {
  const tab = { listeners: [], taken: [], refused: [], isDead: false };
  browser.tabs.add(tab);
  tab.queue = new AnswerQueue({
    log: new SaveLog({ database, participant: "p-1", campaign: "w", store: "answers" }),
    send: async (answer) => {
      const said = await server.send(answer);
      return tab.isDead ? new Promise(() => {}) : said;
    },
    tabs: {
      alone: (work) => browser.alone(tab, work),
      post: (message) => {
        const copy = structuredClone(message);
        for (const other of browser.tabs) {
          if (other !== tab) {
            setImmediate(() => other.listeners.forEach((hear) => hear(copy)));
          }
        }
      },
      onMessage: (hear) => tab.listeners.push(hear),
    },
    onTaken: ({ uid }, said, isFromHere) => tab.taken.push([uid, isFromHere]),
    onRefused: ({ uid }, error, isKept) => tab.refused.push([uid, isKept]),
  });
  return tab;
}

function setUp(context, server = new AnswerServer()) {
  holdTimers(context);
  const browser = new Browser();
  return { browser, server, ...openTab(browser, server) };
}

const sent = (queue) => until(() => !queue.waiting.length && !queue.isSending);

test("it works: kept, sent in order, taken", async (context) => {
  const { queue, server, taken } = setUp(context);
  const answers = [given(), given("crater"), given("cannot_tell")];
  answers.forEach((answer) => queue.add(answer));
  assert.equal(queue.unkept, 3);
  assert.equal(await queue.settled(), true);
  await sent(queue);
  assert.deepEqual([...server.stored.keys()], answers.map(({ uid }) => uid));
  assert.deepEqual(taken, answers.map(({ uid }) => [uid, true]));
  assert.deepEqual([queue.unkept, queue.state], [0, "idle"]);
});

test("without a connection answers wait, and go out once it is back", async (context) => {
  const { queue, server } = setUp(context);
  server.before = [offline, offline];
  queue.add(given());
  await until(() => queue.state === "retrying" && !queue.isSending);
  assert.equal(await queue.settled(), false);
  queue.add(given());
  await until(() => server.requests.length === 2 && !queue.isSending);
  assert.equal(queue.waiting.length, 2);
  assert.equal(queue.unkept, 0);
  context.clock.tick(2000);
  await sent(queue);
  assert.equal(server.stored.size, 2);
});

test("an answer that was stored and whose receipt was lost is sent again under the same uid", async (context) => {
  const { queue, server, taken } = setUp(context);
  server.after = [offline];
  queue.add(given());
  await until(() => queue.state === "retrying" && !queue.isSending);
  assert.equal(taken.length, 0);
  queue.resume();
  await sent(queue);
  assert.equal(server.requests.length, 2);
  assert.equal(new Set(server.requests).size, 1);
  assert.equal(server.stored.size, 1);
});

test("what a closed tab has left is sent by the next page", async (context) => {
  const { browser, server, queue } = setUp(context);
  server.before = [() => offline()];
  queue.add(given("crater"));
  await until(() => queue.state === "retrying" && !queue.isSending);
  browser.tabs.clear();
  const next = openTab(browser, server);
  await next.queue.open();
  assert.equal(next.queue.waiting.length, 1);
  next.queue.resume();
  await sent(next.queue);
  assert.deepEqual([...server.stored.values()].map(({ answer }) => answer), ["crater"]);
});

test("of two tabs one sends, and the other hears what became of it", async (context) => {
  const { browser, server, queue, taken } = setUp(context);
  const other = openTab(browser, server);
  queue.add(given());
  other.queue.add(given());
  await sent(queue);
  await sent(other.queue);
  await until(() => taken.length === 2 && other.taken.length === 2);
  assert.equal(server.requests.length, 2);
  assert.equal(new Set(server.requests).size, 2);
  const senders = [...taken, ...other.taken].filter(([, isFromHere]) => isFromHere).map(([uid]) => uid);
  assert.deepEqual(senders.sort(), server.requests.sort(), "each was sent from one tab and heard of in the other");
});

test("an answer is taken back without the server only while it cannot have it", async (context) => {
  const { queue, server } = setUp(context);
  server.before = [offline];
  const [first, second] = [given(), given()];
  queue.add(first);
  await until(() => queue.state === "retrying" && !queue.isSending);
  server.before = [offline];
  queue.add(second);
  await until(() => !queue.isSending && !queue.writing.size);
  assert.equal(await queue.withdraw(first.uid), false, "it was tried, so the server may have it");
  assert.equal(await queue.withdraw(second.uid), true);
  queue.resume();
  await sent(queue);
  assert.deepEqual([...server.stored.keys()], [first.uid]);
});

test("who has to sign in or agree first keeps everything", async (context) => {
  const { queue, server } = setUp(context);
  server.before = [refusal(401)];
  queue.add(given());
  await until(() => queue.state === "stopped" && !queue.isSending);
  assert.equal(queue.error.status, 401);
  assert.equal(await queue.settled(), false);
  server.before = [refusal(403)];
  queue.resume();
  await until(() => queue.error?.status === 403 && !queue.isSending);
  queue.resume();
  await sent(queue);
  assert.equal(server.stored.size, 1);
  assert.equal(queue.error, null);
});

test("one that the server refuses for its shape waits for a person, and the others go on", async (context) => {
  const { queue, server, refused } = setUp(context);
  server.before = [refusal(422)];
  const [bad, good] = [given("crater"), given()];
  queue.add(bad);
  queue.add(good);
  await sent(queue);
  assert.deepEqual([...server.stored.keys()], [good.uid]);
  assert.deepEqual(queue.parked.map(({ uid }) => uid), [bad.uid]);
  assert.deepEqual(refused, [[bad.uid, true]]);
  await queue.retryParked();
  await sent(queue);
  assert.equal(server.stored.size, 2);
  server.before = [refusal(404)];
  queue.add(given());
  await until(() => queue.parked.length === 1 && !queue.isSending);
  await queue.discardParked();
  assert.equal(queue.parked.length, 0);
});

test("another answer that stands is told and not fought", async (context) => {
  const { queue, server, refused } = setUp(context);
  server.before = [refusal(409)];
  const answer = given();
  queue.add(answer);
  await sent(queue);
  assert.deepEqual(refused, [[answer.uid, false]]);
  assert.deepEqual([queue.parked.length, server.stored.size], [0, 0]);
});

test("a browser that keeps nothing says so, and sends all the same", async (context) => {
  holdTimers(context);
  const server = new AnswerServer();
  const forbidden = { open: () => Promise.reject(new Error("SecurityError")) };
  const { queue } = openTab(new Browser(), server, forbidden);
  server.before = [offline];
  queue.add(given());
  await until(() => queue.state === "retrying" && !queue.isSending);
  assert.deepEqual([queue.unkept, queue.log.isDurable], [1, false]);
  queue.resume();
  await sent(queue);
  assert.deepEqual([server.stored.size, queue.unkept], [1, 0]);
});

test("marks that an older page has kept are still there when answers get their table", async () => {
  globalThis.indexedDB = new IDBFactory();
  const before = await openDB("tektite", 1, {
    upgrade: (db) => {
      db.createObjectStore("saves", { keyPath: "seq", autoIncrement: true }).createIndex("owner", ["participant", "campaign"]);
      db.createObjectStore("drafts", { keyPath: ["participant", "visit"] });
    },
  });
  await before.put("saves", { id: "s", participant: "ada", campaign: "c" });
  before.close();
  const database = new Database();
  const logs = ["saves", "answers"].map((store) => new SaveLog({ database, participant: "ada", campaign: "c", store }));
  await logs[1].revise(() => ({ put: [{ id: "a" }] }));
  assert.deepEqual((await logs[0].revise(() => ({}))).saves.map(({ id }) => id), ["s"]);
  assert.deepEqual((await logs[1].revise(() => ({}))).saves.map(({ id }) => id), ["a"]);
});
