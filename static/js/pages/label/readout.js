/** The status line: what is safe, where the pointer is, what lies under it, and at which scale. */

import { degreesText, magnificationText, resolutionText, valueText } from "tektite/geo/format";
import { ask } from "tektite/lib/api";
import { clockText } from "tektite/lib/clock";
import { debounce } from "tektite/lib/debounce";
import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { fillUrl } from "tektite/lib/urls";

const ASK_AFTER_MS = 180;

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
    element.className = ["retrying", "signed_out", "refused"].includes(queue.state) ? "bad" : "";
  };
  queue.addEventListener("change", update);
  marks.addEventListener("change", update);
  // Counts the seconds to the next try.
  setInterval(() => queue.state === "retrying" && update(), 1000);
  update();
}

function savingText({ state, lastSavedAt, retryAt, saves }, marks) {
  switch (state) {
    case "saving":
    case "choosing":
      return gettext("Saving…");
    case "retrying":
      return interpolate(gettext("Not saved — retrying in %(seconds)s s"), {
        seconds: Math.max(1, Math.ceil((retryAt - Date.now()) / 1000)),
      });
    case "signed_out":
      return interpolate(gettext("Not saved — sign in (%(count)s waiting)"), { count: saves.length });
    case "refused":
      return interpolate(gettext("Not saved — %(count)s waiting"), { count: saves.length });
    default:
      return lastSavedAt ? savedAt(lastSavedAt) : lastStored(marks);
  }
}

/** Before anything is saved here: when the newest of the marks that came with the page was. */
function lastStored(marks) {
  const times = [...marks.stored.values()].map(({ updated_at }) => Date.parse(updated_at)).filter(Number.isFinite);
  return times.length ? savedAt(new Date(Math.max(...times))) : gettext("Nothing to save yet");
}

const savedAt = (date) => interpolate(gettext("Saved %(time)s"), { time: clockText(date) });

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
