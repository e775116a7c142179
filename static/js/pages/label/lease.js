/** How long the tile is mine: shown, and extended while I work on it. */

import { ask } from "tektite/lib/api";
import { minutesLeft } from "tektite/lib/clock";
import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { toast } from "tektite/lib/toasts";
import { fillUrl } from "tektite/lib/urls";

const LOOK_EVERY_MS = 15_000;
const ACTIVE_MS = 5 * 60_000;
const FEW_MINUTES = 10;

/** @param {import("tektite/pages/label/session").Session} session */
export function keepLease(session) {
  const chip = find("#lease");
  let lastActiveAt = Date.now();
  let fullMinutes = 0;
  let isAsking = false;

  const extend = async () => {
    if (isAsking || !session.visit) {
      return;
    }
    isAsking = true;
    try {
      session.renew(await ask("POST", fillUrl(session.urls.extend, session.visit)));
    } catch (error) {
      if (!error.isPassing) {
        toast(error.message, { kind: "error" });
      }
    } finally {
      isAsking = false;
    }
  };
  const update = () => {
    const { visit } = session;
    chip.hidden = !visit;
    if (visit) {
      const minutes = minutesLeft(visit.lease_expires_at, Date.now());
      fullMinutes = Math.max(fullMinutes, minutes);
      chip.textContent =
        minutes > 0 ? interpolate(gettext("lease %(minutes)s min"), { minutes }) : gettext("lease over: press to renew");
      chip.classList.toggle("urgent", minutes <= FEW_MINUTES);
      const isActive = Date.now() - lastActiveAt < ACTIVE_MS;
      if (isActive && minutes > 0 && minutes < fullMinutes / 2) {
        extend();
      }
    }
  };

  for (const type of ["pointerdown", "keydown", "wheel"]) {
    document.addEventListener(type, () => (lastActiveAt = Date.now()), { passive: true, capture: true });
  }
  chip.addEventListener("click", extend);
  session.addEventListener("change", update);
  session.addEventListener("visit", () => (fullMinutes = 0));
  setInterval(update, LOOK_EVERY_MS);
}
