/** Bars over the map: why saves wait, what the server did not take, and what to do about either. */

import { rimsGeojson } from "tektite/geo/geojson";
import { find } from "tektite/lib/dom";
import { gettext, interpolate, ngettext } from "tektite/lib/i18n";
import { showParked } from "tektite/lib/parked_bar";

/** @typedef {import("tektite/lib/save_queue").SaveQueue} SaveQueue */

/**
 * @param {object} needs
 * @param {SaveQueue} needs.queue
 * @param {import("tektite/lib/drafts").Drafts} needs.drafts
 * @param {import("tektite/pages/sign_in").SignInDialog} needs.signIn
 * @param {object} needs.config Of the page.
 */
export function showTrouble({ queue, drafts, signIn, config }) {
  showWaiting(queue, signIn, config);
  showParked({ queue, name: "parked", textOf: parkedText, sure: gettext("Discard them for good") });
  find("#parked-download").addEventListener("click", () => offer(queue.parked, config));
  globalThis.addEventListener("beforeunload", (event) => {
    if (queue.unkept || drafts.isAtRisk) {
      event.preventDefault();
    }
  });
}

function showWaiting(queue, signIn, config) {
  const box = find("#trouble");
  const signInButton = find("#trouble-signin");
  const reload = find("#trouble-reload");
  const download = find("#trouble-download");
  signInButton.addEventListener("click", () => signIn.ask());
  reload.addEventListener("click", () => globalThis.location.reload());
  find("#trouble-retry").addEventListener("click", () => queue.resume());
  download.addEventListener("click", () => offer(queue.saves, config));
  signIn.addEventListener("change", () => signIn.isNeeded || queue.resume());
  queue.addEventListener("saved", () => signIn.settle());
  const update = () => {
    // A try under way keeps the bar as it is, so that it does not blink.
    if (queue.state === "saving" && !box.hidden && queue.error) {
      return;
    }
    const isOther = queue.state === "other_person";
    const isSignedOut = queue.state === "signed_out" || signIn.isNeeded;
    const isAtRisk = !queue.log.isDurable && queue.unkept > 0;
    box.hidden = !isOther && !isSignedOut && !isAtRisk;
    signInButton.hidden = !isOther && !isSignedOut;
    reload.hidden = !isOther;
    download.hidden = !isAtRisk;
    find("#trouble-text").textContent = waitingText({ isOther, isSignedOut, isAtRisk }, queue, config);
  };
  queue.addEventListener("change", update);
  signIn.addEventListener("change", update);
}

function waitingText({ isOther, isSignedOut, isAtRisk }, queue, { participant }) {
  const values = { count: queue.waiting.length, name: participant.name };
  if (isAtRisk) {
    return interpolate(
      gettext("This browser keeps nothing: its storage is full or forbidden. %(count)s unsaved in this page alone: leave it open."),
      values,
    );
  }
  if (isOther) {
    return interpolate(
      gettext("Somebody else is signed in now. What %(name)s drew here is kept in this browser and waits for %(name)s."),
      values,
    );
  }
  return isSignedOut ? gettext("You are signed out. Your marks are kept here; sign in and they will be stored.") : "";
}

function parkedText(parked) {
  const count = new Set(parked.map(({ mark }) => mark)).size;
  const tiles = [...new Set(parked.map(({ tile }) => tile).filter(Boolean))].join(", ");
  const why = [...new Set(parked.map(({ parked: { message } }) => message))].join(" ");
  const text = tiles
    ? ngettext("%(count)s mark of tile %(tiles)s is not stored: %(why)s", "%(count)s marks of tile %(tiles)s are not stored: %(why)s", count)
    : ngettext("%(count)s mark is not stored: %(why)s", "%(count)s marks are not stored: %(why)s", count);
  return `${interpolate(text, { count, tiles, why })} ${gettext("Kept in this browser until you decide.")}`;
}

/** A file of what the marks came to. @param {import("tektite/lib/save_steps").Save[]} saves */
function offer(saves, { campaign, participant }) {
  const last = new Map();
  for (const { mark, tile, visit, kind, shape, body, parked } of saves) {
    const before = last.get(mark);
    const why = parked?.message ?? null;
    last.set(mark, { ...before, ...body, ...shape, uid: mark, tile, visit, deleted: kind === "delete", why });
  }
  const whole = [...last.values()].filter(({ lon, lat, diameter_m }) => [lon, lat, diameter_m].every(Number.isFinite));
  const file = { ...rimsGeojson(whole, campaign.body), campaign: campaign.name, drawn_by: participant.name };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: "application/geo+json" }));
  link.download = `${campaign.name.replaceAll(/[^\p{L}\p{N}]+/gu, "-")}-unsaved.geojson`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
