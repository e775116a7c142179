/**
 * Whatever happens to requests, answers and tabs: in the end the server has what was drawn, each thing once.
 *
 * A person draws in up to three tabs that are killed at any moment, over a network that loses, repeats, delays and
 * breaks off. What the queue has acknowledged as kept must arrive; what it had not yet may or may not.
 */

import "./node18.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "tektite/lib/api";
import { Browser, Tab, until } from "./browser.js";
import { MarkServer, offline, refusal } from "./mark_server.js";
import { holdTimers } from "./node18.js";

const RUNS = 80;
const STEPS = 60;

/** mulberry32: the same numbers from the same seed, everywhere. */
function dice(seed) {
  let state = seed;
  const roll = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return { roll, below: (n) => Math.floor(roll() * n), one: (list) => list[Math.floor(roll() * list.length)] };
}

const turns = async (n) => {
  for (let i = 0; i < n; i += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
};

/** Between the queue and the server: everything that can go wrong on the way. */
class Network {
  constructor(server, chance) {
    Object.assign(this, { server, chance, isWell: false });
    /** @type {(() => void)[]} Requests given up by the browser that are still on their way. */
    this.late = [];
  }

  async send(save) {
    if (this.isWell) {
      return this.#handle(save);
    }
    await turns(this.chance.below(4));
    switch (this.chance.below(9)) {
      case 0:
        throw offline();
      case 1:
        throw refusal(503)();
      case 2:
        throw refusal(401)();
      case 3: // stored, and the answer lost
        this.#handle(save);
        throw offline();
      case 4: // stored, and half the answer
        this.#handle(save);
        throw new ApiError("Broken off.", { code: "half_answer" });
      case 5: // given up here, and delivered there later
        this.late.push(() => this.#handle(save));
        throw offline();
      case 6: // delivered twice, the second time late
        this.late.push(() => this.#handle(save));
        return this.#handle(save);
      default:
        return this.#handle(save);
    }
  }

  deliverLate(n) {
    for (const deliver of this.late.splice(0, n)) {
      try {
        deliver();
      } catch {
        // Refused: nobody waits for the answer any more.
      }
    }
  }

  #handle(save) {
    return this.server.handle(structuredClone(save));
  }
}

/** What the person did, and what may therefore stand on the server in the end. */
class Person {
  constructor(chance) {
    this.chance = chance;
    /** @type {Map<string, {owner: Tab, base: number, state: object, acceptable: (object|null)[]}>} */
    this.marks = new Map();
  }

  act(tab) {
    const mine = [...this.marks].filter(([, mark]) => mark.owner === tab && mark.isCertain);
    if (!mine.length || this.chance.roll() < 0.35) {
      this.#draw(tab);
      return;
    }
    const [uid, mark] = this.chance.one(mine);
    if (mark.state.deleted) {
      this.#do(tab, uid, "restore", {}, { ...mark.state, deleted: false });
    } else if (this.chance.roll() < 0.25) {
      this.#do(tab, uid, "delete", {}, { ...mark.state, deleted: true });
    } else {
      const body = { diameter_m: 100 + this.chance.below(1000) };
      this.#do(tab, uid, "change", body, { ...mark.state, ...body });
    }
  }

  #draw(tab) {
    const uid = `mark ${this.marks.size}`;
    const body = { lon: this.chance.roll(), lat: 0, diameter_m: 500 };
    this.marks.set(uid, { owner: tab, isCertain: true, state: null, acceptable: [null] });
    this.#do(tab, uid, "draw", body, { ...body, deleted: false });
  }

  #do(tab, uid, kind, body, after) {
    const mark = this.marks.get(uid);
    mark.acceptable.push(after);
    mark.state = after;
    const base = tab.versions.get(uid) ?? 0;
    tab.queue.add({ visit: "v", tile: 1, mark: uid, kind, body, shape: after, base }).then((isDurable) => {
      assert.equal(isDurable, true);
      // Kept: what came before it can no longer be the end of the story.
      mark.acceptable = mark.acceptable.slice(mark.acceptable.indexOf(after));
    });
  }

  /** The tab is dead: what it had not been told to be kept stays open, and nobody draws on those marks any more. */
  loses(tab, heir, server) {
    for (const [uid, mark] of this.marks) {
      if (mark.owner === tab) {
        mark.isCertain = mark.acceptable.length === 1;
        mark.owner = heir;
        heir.versions.set(uid, server.marks.get(uid)?.version ?? 0);
      }
    }
  }
}

const plain = (mark) => mark && { lon: mark.lon, lat: mark.lat, diameter_m: mark.diameter_m, deleted: mark.deleted };

async function run(seed, context) {
  const chance = dice(seed);
  const browser = new Browser();
  const server = new MarkServer();
  const network = new Network(server, chance);
  const person = new Person(chance);
  let asked = 0;
  const onConflict = async () => ((asked += 1), "mine");
  const open = async () => {
    const tab = await Tab.open(browser, (save) => network.send(save), { onConflict });
    tab.versions = new Map([...server.marks].map(([uid, { version }]) => [uid, version]));
    tab.onSaved = (_save, mark) => tab.versions.set(mark.uid, mark.version);
    return tab;
  };
  const tabs = [await open()];
  for (let step = 0; step < STEPS; step += 1) {
    const luck = chance.roll();
    if (luck < 0.5) {
      person.act(chance.one(tabs));
    } else if (luck < 0.6) {
      context.clock.tick(chance.below(40_000));
    } else if (luck < 0.65) {
      chance.one(tabs).queue.resume();
    } else if (luck < 0.7) {
      network.deliverLate(chance.below(3));
    } else if (luck < 0.75 && tabs.length < 3) {
      tabs.push(await open());
    } else if (luck < 0.82) {
      const [dead] = tabs.splice(chance.below(tabs.length), 1);
      dead.die();
      if (!tabs.length) {
        tabs.push(await open());
      }
      person.loses(dead, chance.one(tabs), server);
    } else {
      await turns(chance.below(12));
    }
  }
  tabs.forEach((tab) => tab.die());
  network.isWell = true;
  const last = await open();
  await last.queue.resume();
  await until(() => last.queue.waiting.length === 0);
  network.deliverLate(Infinity);
  assert.equal(last.queue.parked.length, 0);
  for (const [uid, { acceptable }] of person.marks) {
    const stored = plain(server.marks.get(uid)) ?? null;
    assert.ok(
      acceptable.some((state) => JSON.stringify(state) === JSON.stringify(stored)),
      `seed ${seed}: ${uid} is ${JSON.stringify(stored)}, not one of ${JSON.stringify(acceptable)}`,
    );
  }
  const twice = [...server.done].filter(([, times]) => times !== 1);
  assert.deepEqual(twice, [], `seed ${seed}: carried out more than once`);
  return { drawn: person.marks.size, asked };
}

test(`in ${RUNS} lives nothing that was kept is lost, and nothing is done twice`, async (context) => {
  holdTimers(context);
  let drawn = 0;
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const life = await run(seed, context);
    drawn += life.drawn;
    assert.equal(life.asked, 0, `seed ${seed}: somebody was asked about their own marks`);
  }
  assert.ok(drawn > 5 * RUNS, "too little was drawn to mean anything");
});
