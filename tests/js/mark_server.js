/** A server that keeps marks as ours does. */

import { ApiError } from "tektite/lib/api";

export class MarkServer {
  marks = new Map();
  log = [];
  /** How often each save was carried out, by its id. */
  done = new Map();
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
      return known ?? this.store(save, { uid: save.mark, version: 1, deleted: false, ...save.body });
    }
    if (!known) {
      throw new ApiError("There is no mark at this address.", { status: 404, code: "not_found" });
    }
    if (known.version !== save.base || known.deleted !== (save.kind === "restore")) {
      throw new ApiError("Changed.", { status: 409, code: "conflict", current: known });
    }
    const patch = { change: save.body, delete: { deleted: true }, restore: { deleted: false } }[save.kind];
    return this.store(save, { ...known, ...patch, version: known.version + 1 });
  }

  store(save, mark) {
    const stored = { ...mark, updated_at: new Date(1e12 + 1000 * this.done.size).toISOString() };
    this.marks.set(stored.uid, stored);
    this.done.set(save.id, (this.done.get(save.id) ?? 0) + 1);
    return stored;
  }
}

export const offline = () => new ApiError("No connection.");
export const refusal = (status, code) => () => new ApiError(`Refused with ${status}.`, { status, code });
