/** How long the tile is mine: kept while I work on it, shown when little is left, looked after when the lid opens. */

import { ask } from "tektite/lib/api";
import { minutesLeft, serverNow } from "tektite/lib/clock";
import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { toast } from "tektite/lib/toasts";
import { fillUrl } from "tektite/lib/urls";

const LOOK_EVERY_MS = 15_000;
const BEAT_EVERY_MS = 5 * 60_000;
// A page that nobody has touched for this long keeps no tile from others.
const IDLE_AFTER_MS = 30 * 60_000;
// Timers that stood still this long: the machine slept.
const SLEPT_MS = 60_000;
const FEW_MINUTES = 10;
const LAST_MINUTES = 5;

/**
 * @param {object} needs
 * @param {import("tektite/pages/label/session").Session} needs.session
 * @param {{lease_minutes: number}} needs.campaign
 */
export function keepLease({ session, campaign }) {
  const chip = find("#lease");
  const beatEveryMs = Math.min(BEAT_EVERY_MS, (campaign.lease_minutes * 60_000) / 4);
  let lastActiveAt = Date.now();
  let lastBeatAt = Date.now();
  let lastLookAt = Date.now();
  let warnedOf = null;
  let isAsking = false;

  const beat = async () => {
    if (isAsking || !session.visit) {
      return;
    }
    isAsking = true;
    lastBeatAt = Date.now();
    try {
      session.renew(await ask("POST", fillUrl(session.urls.extend, session.visit)));
    } catch (error) {
      // Without an answer the server's own clock decides; the next beat finds out.
      if (error.status === 401) {
        session.signIn.need();
      } else if (!error.isPassing) {
        await session.trouble(error);
      }
    } finally {
      isAsking = false;
    }
  };
  const look = () => {
    const { visit } = session;
    chip.hidden = !visit;
    if (!visit) {
      return;
    }
    const minutes = minutesLeft(visit.lease_expires_at, serverNow());
    showLeft(chip, minutes);
    const hasSlept = since(lastLookAt) > SLEPT_MS;
    lastLookAt = Date.now();
    const isDue = since(lastActiveAt) < IDLE_AFTER_MS && since(lastBeatAt) >= beatEveryMs;
    if (!document.hidden && (hasSlept || isDue)) {
      beat();
    } else if (minutes <= LAST_MINUTES && minutes > 0 && warnedOf !== visit.lease_expires_at) {
      warnedOf = visit.lease_expires_at;
      warn(visit, minutes, beat);
    }
  };
  const wake = () => {
    if (!document.hidden && since(lastBeatAt) > SLEPT_MS) {
      beat();
    }
  };
  const touched = () => {
    const wasIdle = since(lastActiveAt) >= IDLE_AFTER_MS;
    lastActiveAt = Date.now();
    if (wasIdle) {
      beat();
    }
  };

  for (const type of ["pointerdown", "keydown", "wheel"]) {
    document.addEventListener(type, touched, { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", wake);
  globalThis.addEventListener("pageshow", wake);
  globalThis.addEventListener("online", wake);
  chip.addEventListener("click", beat);
  session.addEventListener("change", look);
  session.addEventListener("visit", () => (lastBeatAt = Date.now()));
  setInterval(look, LOOK_EVERY_MS);
}

/** Milliseconds since then; a clock that was set back counts as a long time. */
const since = (then) => (Date.now() >= then ? Date.now() - then : Infinity);

function showLeft(chip, minutes) {
  const isShort = minutes <= FEW_MINUTES;
  chip.classList.toggle("urgent", isShort);
  if (minutes <= 0) {
    chip.textContent = gettext("time is over: keep it");
  } else if (isShort) {
    chip.textContent = interpolate(gettext("%(minutes)s min left: keep it"), { minutes });
  } else {
    chip.textContent = minutes > 120 ? interpolate(gettext("%(hours)s h"), { hours: Math.floor(minutes / 60) }) : interpolate(gettext("%(minutes)s min"), { minutes });
  }
}

function warn({ tile }, minutes, beat) {
  toast(interpolate(gettext("Tile %(number)s is yours for %(minutes)s more minutes."), { number: tile.number, minutes }), {
    action: { label: gettext("Keep it"), run: beat },
  });
}
