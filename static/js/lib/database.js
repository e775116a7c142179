/** The browser's own database: saves and answers on their way to the server, and shapes that are not finished. */

import { openDB } from "idb";

const NAME = "tektite";
const VERSION = 2;
// Some browsers let the opening hang for ever; then it is as good as forbidden.
const PATIENCE_MS = 5000;

/** Emits "lost" when the browser took it away while it was open, with what was in it. */
export class Database extends EventTarget {
  /** @type {Promise<import("idb").IDBPDatabase>|null} */
  #opening = null;

  /** @returns {Promise<import("idb").IDBPDatabase>} Rejected where the browser has none, or forbids it. */
  open() {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open() {
    let timer = 0;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("The browser's database does not open.")), PATIENCE_MS);
    });
    try {
      return await Promise.race([openDB(NAME, VERSION, { upgrade, ...this.#endings() }), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** It ends when the person clears the site's data, or a newer page needs another version: then it is reopened. */
  #endings() {
    const reopen = () => {
      this.#opening = null;
    };
    return {
      terminated: () => {
        reopen();
        this.dispatchEvent(new Event("lost"));
      },
      blocking: (_before, _after, event) => {
        reopen();
        event.target.close();
      },
    };
  }
}

function upgrade(db, before) {
  if (before < 1) {
    createLog(db, "saves");
    db.createObjectStore("drafts", { keyPath: ["participant", "visit"] });
  }
  if (before < 2) {
    createLog(db, "answers");
  }
}

function createLog(db, name) {
  const log = db.createObjectStore(name, { keyPath: "seq", autoIncrement: true });
  log.createIndex("owner", ["participant", "campaign"]);
}
