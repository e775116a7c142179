/** The save queue of this page: which request each save is, and what becomes of the marks on screen. */

import { ApiError, ask } from "tektite/lib/api";
import { gettext } from "tektite/lib/i18n";
import { carryOver } from "tektite/lib/legacy_saves";
import { SaveLog } from "tektite/lib/save_log";
import { SaveQueue } from "tektite/lib/save_queue";
import { Tabs } from "tektite/lib/tabs";
import { fillUrl } from "tektite/lib/urls";
import { choose } from "tektite/pages/label/conflict";

/** @typedef {import("tektite/lib/save_steps").Save} Save */

// A closed tile, not a wrong mark: what is drawn here from now on would be refused too.
const CLOSED = new Set(["lease_lost", "released", "returned", "submitted", "not_allowed", "not_found"]);

/**
 * @param {object} needs
 * @param {object} needs.config Of the page.
 * @param {import("tektite/lib/database").Database} needs.database
 * @param {import("tektite/draw/marks").Marks} needs.marks
 * @param {import("tektite/lib/commands").CommandStack} needs.commands
 * @param {() => {uid: string}|null} needs.visit On screen.
 * @param {() => void} needs.onClosed The visit on screen can no longer be written to.
 * @returns {SaveQueue}
 */
export function makeQueue({ config, database, marks, commands, visit, onClosed }) {
  const { campaign, urls } = config;
  const participant = config.participant.uid;
  const isShown = (save) => save.visit === visit()?.uid;
  const queue = new SaveQueue({
    log: new SaveLog({ database, participant, campaign: campaign.uid }),
    tabs: new Tabs(`tektite saves ${participant} ${campaign.uid}`),
    send: (save) => stored(urls, save),
    onSaved: (save, mark) => {
      if (isShown(save)) {
        marks.accept(mark, !queue.waiting.some((later) => later.mark === mark.uid));
      }
    },
    onAdded: (save) => isShown(save) && marks.replay([save]),
    onParked: (saves) => {
      const shown = saves.filter(isShown);
      for (const { mark } of shown) {
        marks.giveUp(mark);
        commands.forget(mark);
      }
      if (shown.some(({ parked }) => CLOSED.has(parked.code))) {
        onClosed();
      }
    },
    onConflict: (save, current) => (document.hidden ? "later" : choose(save, current)),
    onTheirs: (mark) => {
      if (mark.uid && marks.byUid.has(mark.uid)) {
        marks.accept(mark, true);
        commands.forget(mark.uid);
      }
    },
  });
  database.addEventListener("lost", () => queue.keepAgain());
  // Back from no network, another tab, another window or a closed lid.
  for (const [target, type] of [
    [globalThis, "online"],
    [globalThis, "focus"],
    [globalThis, "pageshow"],
    [document, "visibilitychange"],
  ]) {
    target.addEventListener(type, () => document.hidden || queue.resume());
  }
  return queue;
}

/** What an older version of this page has left behind comes into the queue. @param {SaveQueue} queue */
export async function adoptLegacy(queue, { campaign, urls }) {
  const isMine = async (visit) => {
    try {
      await ask("GET", fillUrl(urls.visit, { uid: visit }));
      return true;
    } catch (error) {
      if (error.status === 404) {
        return false;
      }
      throw error;
    }
  };
  try {
    await carryOver({ storage: globalThis.localStorage, campaign: campaign.uid, isMine, keep: (save) => queue.add(save) });
  } catch {
    // Nobody answered, or the browser has no such storage: what is there stays for the next time.
  }
}

/** The mark as the server has it now. @param {Record<string, string>} urls @param {Save} save */
async function stored(urls, save) {
  const mark = await request(urls, save);
  if (mark?.uid !== save.mark || !(mark.version > 0)) {
    throw new ApiError(gettext("The server's answer broke off on the way."), { code: "half_answer" });
  }
  return mark;
}

function request(urls, { kind, visit, mark, body, base }) {
  const at = { uid: mark };
  switch (kind) {
    case "draw":
      return ask("POST", fillUrl(urls.marks, { uid: visit }), { uid: mark, ...body });
    case "change":
      return ask("PATCH", fillUrl(urls.mark, at), { version: base, ...body });
    case "delete":
      return ask("DELETE", fillUrl(urls.mark, at, { version: base }));
    default:
      return ask("POST", fillUrl(urls.restore, at), { version: base });
  }
}
