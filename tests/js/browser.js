/** What a browser gives its tabs, for node: a database, locks and channels, and tabs that can die at any moment. */

import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";

import { Database } from "tektite/lib/database";
import { SaveLog } from "tektite/lib/save_log";
import { SaveQueue } from "tektite/lib/save_queue";

const never = () => new Promise(() => {});

/** One browser: what is in it outlives its tabs. */
export class Browser {
  constructor() {
    globalThis.indexedDB = new IDBFactory();
    /** @type {Set<Tab>} */
    this.tabs = new Set();
    this.holder = null;
    this.waiting = [];
  }

  /** One after the other, like navigator.locks; a dead tab holds nothing and waits for nothing. */
  async alone(tab, work) {
    await new Promise((resolve) => {
      this.waiting.push({ tab, resolve });
      this.#next();
    });
    try {
      await work();
    } finally {
      this.release(tab);
    }
  }

  release(tab) {
    if (this.holder === tab) {
      this.holder = null;
      this.#next();
    }
  }

  #next() {
    this.waiting = this.waiting.filter(({ tab }) => !tab.isDead);
    if (!this.holder && this.waiting.length) {
      const { tab, resolve } = this.waiting.shift();
      this.holder = tab;
      resolve();
    }
  }
}

/** One open page with its queue, and a person who draws in it. */
export class Tab {
  /**
   * @param {Browser} browser
   * @param {(save: object) => Promise<object>} send
   * @param {{participant?: string, onConflict?: Function}} [options]
   */
  constructor(browser, send, { participant = "ada", onConflict = async () => "mine" } = {}) {
    this.browser = browser;
    this.isDead = false;
    this.listeners = [];
    this.events = [];
    /** @type {((save: object, mark: object) => void)|null} */
    this.onSaved = null;
    browser.tabs.add(this);
    const database = new Database();
    this.log = new SaveLog({ database, participant, campaign: "c" });
    const revise = this.log.revise.bind(this.log);
    // A tab that died goes no further, whatever it was waiting for.
    this.log.revise = async (...step) => (this.isDead ? never() : this.#ifAlive(await revise(...step)));
    this.queue = new SaveQueue({
      log: this.log,
      send: async (save) => {
        try {
          return await this.#ifAlive(await send(save));
        } catch (error) {
          return this.isDead ? never() : Promise.reject(error);
        }
      },
      tabs: {
        alone: (work) => browser.alone(this, work),
        post: (message) => this.#post(structuredClone(message)),
        onMessage: (hear) => this.listeners.push(hear),
      },
      onSaved: (save, mark) => {
        this.events.push(`saved ${save.kind} v${mark.version}`);
        this.onSaved?.(save, mark);
      },
      onAdded: (save) => this.events.push(`added ${save.kind}`),
      onParked: (saves) => this.events.push(...saves.map((save) => `parked ${save.kind}: ${save.parked.message}`)),
      onConflict: async (save, current) => (this.events.push("asked"), onConflict(save, current)),
      onTheirs: (mark) => this.events.push(`theirs v${mark.version}`),
    });
  }

  static async open(...given) {
    const tab = new Tab(...given);
    await tab.queue.open();
    return tab;
  }

  /** Killed: nothing of it runs any more. */
  die() {
    this.isDead = true;
    clearTimeout(this.queue.timer);
    this.browser.tabs.delete(this);
    this.browser.release(this);
  }

  #ifAlive(value) {
    return this.isDead ? never() : value;
  }

  #post(message) {
    for (const other of this.browser.tabs) {
      if (other !== this && !this.isDead) {
        setImmediate(() => !other.isDead && other.listeners.forEach((hear) => hear(message)));
      }
    }
  }
}

/** @param {() => boolean} condition @returns {Promise<void>} Once it holds; the test's own limit ends a vain wait. */
export async function until(condition) {
  while (!condition()) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
