/** The save queue of this page: which request each save is, and what people are told and asked about them. */

import { lengthText, degreesText } from "tektite/geo/format";
import { ask } from "tektite/lib/api";
import { el, find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { SaveQueue } from "tektite/lib/save_queue";
import { toast } from "tektite/lib/toasts";
import { fillUrl } from "tektite/lib/urls";

/** @typedef {import("tektite/lib/save_queue").Save} Save */

/**
 * @param {object} needs
 * @param {{uid: string}} needs.campaign
 * @param {Record<string, string>} needs.urls
 * @param {import("tektite/draw/marks").Marks} needs.marks
 * @param {import("tektite/lib/commands").CommandStack} needs.commands
 * @param {() => {uid: string}|null} needs.visit On screen.
 * @returns {SaveQueue}
 */
export function makeQueue({ campaign, urls, marks, commands, visit }) {
  const isShown = (save) => save.visit === visit()?.uid;
  const queue = new SaveQueue({
    send: (save) => request(urls, save),
    storage: globalThis.localStorage,
    prefix: `tektite.save.${campaign.uid}.`,
    onSaved: (save, mark) => {
      if (isShown(save)) {
        marks.accept(mark, !queue.saves.some((later) => later.mark === mark.uid));
      }
    },
    onDropped: (save, error) => {
      if (isShown(save)) {
        marks.giveUp(save.mark);
        commands.forget(save.mark);
      }
      const text = error?.message ?? gettext("The change was discarded.");
      toast(interpolate(gettext("Not stored: %(why)s"), { why: text }), { kind: "error" });
    },
    onConflict: (save, current) => choose(save, current, marks.byUid.get(save.mark)),
    onTheirs: (mark) => {
      if (mark.uid && marks.byUid.has(mark.uid)) {
        marks.accept(mark, true);
        commands.forget(mark.uid);
      }
    },
  });
  showTrouble(queue, urls.signin);
  globalThis.addEventListener("online", () => queue.resume());
  // Somebody who has just signed in in another tab comes back to this one.
  document.addEventListener("visibilitychange", () => document.hidden || queue.resume());
  globalThis.addEventListener("focus", () => queue.resume());
  return queue;
}

/** @param {Record<string, string>} urls @param {Save} save */
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

/** A bar on the map while saves wait for a person. */
function showTrouble(queue, signinUrl) {
  const box = find("#trouble");
  const signin = find("#trouble-signin");
  const discard = find("#trouble-discard");
  signin.href = signinUrl;
  find("#trouble-retry").addEventListener("click", () => queue.resume());
  discard.addEventListener("click", () => queue.discardFirst());
  queue.addEventListener("change", () => {
    const { state, error } = queue;
    // A try under way keeps the bar as it is, so that it does not blink.
    if (state === "saving" && !box.hidden && error) {
      return;
    }
    box.hidden = state !== "signed_out" && state !== "refused";
    signin.hidden = state !== "signed_out";
    discard.hidden = state !== "refused";
    find("#trouble-text").textContent =
      state === "signed_out"
        ? gettext("You are signed out. Your marks are kept here; sign in and they will be stored.")
        : interpolate(gettext("Not stored yet: %(why)s"), { why: error?.message ?? "" });
  });
}

/** @returns {Promise<"mine"|"theirs">} */
function choose(save, current, mine) {
  const dialog = find("#conflict-dialog");
  const here = { ...current, ...mine, deleted: save.kind === "delete" };
  find("#conflict-text").textContent = gettext("In another tab or on another device. Which of the two is right?");
  find("#conflict-rows").replaceChildren(
    row(gettext("Diameter"), here, current, ({ diameter_m }) => lengthText(diameter_m)),
    row(gettext("Centre"), here, current, ({ lon, lat }) => `${degreesText(lon)} ${degreesText(lat)}`),
    row(gettext("State"), here, current, stateText),
  );
  dialog.showModal();
  return new Promise((resolve) => {
    // Esc is no answer: nothing is overwritten without a word, so it asks again.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "theirs" ? "theirs" : "mine"), { once: true });
  });
}

function row(title, here, elsewhere, text) {
  return el("tr", {}, el("th", { scope: "row" }, title), el("td", {}, text(here)), el("td", {}, text(elsewhere)));
}

function stateText({ deleted, uncertain }) {
  if (deleted) {
    return gettext("deleted");
  }
  return uncertain ? gettext("uncertain") : gettext("certain");
}
