/** The status line: what is safe, where the pointer is, what lies under it, and at which scale. */

import { degreesText, magnificationText, resolutionText, valueText } from "tektite/geo/format";
import { ask } from "tektite/lib/api";
import { clockText, minutesFast } from "tektite/lib/clock";
import { debounce } from "tektite/lib/debounce";
import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { fillUrl } from "tektite/lib/urls";

const ASK_AFTER_MS = 180;
const WRONG_CLOCK_MINUTES = 5;

/**
 * @param {object} needs
 * @param {import("tektite/map/grid_map").GridMap} needs.map
 * @param {import("tektite/lib/save_queue").SaveQueue} needs.queue
 * @param {import("tektite/draw/marks").Marks} needs.marks
 * @param {import("tektite/pages/label/view").View} needs.view
 * @param {import("tektite/pages/label/view").Layer[]} needs.layers
 * @param {string} needs.valueUrl
 */
export function showReadout({ map, queue, marks, view, layers, valueUrl }) {
  showSaving(queue, marks);
  showScale(map, view);
  const showValue = valueAsker(valueUrl, () => layers.find(({ kind }) => kind === "elevation") ?? view.layer);
  const position = find("#position");
  const show = (spot, isBusy = false) => {
    const lonLat = spot && map.toLonLat(spot);
    position.textContent = lonLat ? `${degreesText(lonLat[0])}  ${degreesText(lonLat[1])}` : "";
    showValue(isBusy ? null : lonLat);
  };
  map.element.addEventListener("pointermove", (event) => {
    const box = map.element.getBoundingClientRect();
    show({ x: event.clientX - box.left, y: event.clientY - box.top }, event.buttons !== 0);
  });
  map.element.addEventListener("pointerleave", () => show(null));
}

function showSaving(queue, marks) {
  const element = find("#save-state");
  const update = () => {
    element.textContent = savingText(queue, marks);
    element.className = queue.waiting.length && (queue.error || !queue.log.isDurable) ? "bad" : "";
    element.title = clockNote();
  };
  queue.addEventListener("change", update);
  marks.addEventListener("change", update);
  // Counts the seconds to the next try.
  setInterval(() => queue.state === "retrying" && update(), 1000);
  update();
}

/** What is safe where: with the server, in this browser, or in this page alone. */
function savingText(queue, marks) {
  const { state, lastSavedAt, retryAt, error, log } = queue;
  const count = queue.waiting.length;
  if (!count) {
    return lastSavedAt ? savedAt(lastSavedAt) : lastStored(marks);
  }
  if (log.isDurable && !error) {
    return gettext("Saving…");
  }
  const where = log.isDurable
    ? interpolate(gettext("%(count)s waiting, kept in this browser"), { count })
    : interpolate(gettext("%(count)s unsaved, in this page only"), { count });
  return `${where} · ${nextText(state, retryAt)}`;
}

function nextText(state, retryAt) {
  switch (state) {
    case "retrying":
      return interpolate(gettext("next try in %(seconds)s s"), {
        seconds: Math.max(1, Math.ceil((retryAt - performance.now()) / 1000)),
      });
    case "signed_out":
    case "other_person":
      return gettext("sign in");
    default:
      return gettext("trying");
  }
}

/** Times are the server's; whoever's own clock says something else is told so. */
function clockNote() {
  const minutes = minutesFast();
  if (Math.abs(minutes) < WRONG_CLOCK_MINUTES) {
    return "";
  }
  const text =
    minutes > 0
      ? gettext("By the server's clock: this computer's is %(minutes)s minutes fast.")
      : gettext("By the server's clock: this computer's is %(minutes)s minutes slow.");
  return interpolate(text, { minutes: Math.abs(minutes) });
}

/** Before anything is saved here: when the newest of the marks that came with the page was. */
function lastStored(marks) {
  const times = [...marks.stored.values()].map(({ updated_at }) => Date.parse(updated_at)).filter(Number.isFinite);
  return times.length ? savedAt(Math.max(...times)) : gettext("Nothing to save yet");
}

const savedAt = (time) => interpolate(gettext("Saved %(time)s"), { time: clockText(new Date(time)) });

function showScale(map, view) {
  const element = find("#resolution");
  const update = () => {
    const metresPerPx = map.groundSizeAt();
    const magnification = view.layer?.resampled ? gettext("resampled") : magnificationText(map.zoom, map.grid.max_zoom);
    element.textContent = metresPerPx ? `${resolutionText(metresPerPx)} · ${magnification}` : "";
  };
  map.onRest(update);
  view.addEventListener("change", update);
  update();
}

/** @returns {(lonLat: [number, number]|null) => void} Shows the value there once the pointer rests. */
function valueAsker(valueUrl, layer) {
  const element = find("#value");
  let abort = new AbortController();
  const fetchValue = debounce(async (lonLat) => {
    abort = new AbortController();
    const [lon, lat] = lonLat.map((degrees) => degrees.toFixed(7));
    try {
      const { value, unit } = await ask("GET", fillUrl(valueUrl, layer(), { lon, lat }), null, abort.signal);
      element.textContent = value === null ? "" : valueText(value, unit);
    } catch {
      // Only a read-out: no place, no network, or the pointer has gone on.
      element.textContent = "";
    }
  }, ASK_AFTER_MS);
  return (lonLat) => {
    abort.abort();
    if (lonLat) {
      fetchValue(lonLat);
    } else {
      fetchValue.cancel();
      element.textContent = "";
    }
  };
}
