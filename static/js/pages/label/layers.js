/** Layers, catalogues and contrast in the side panel. */

import { numberText } from "tektite/geo/format";
import { debounce } from "tektite/lib/debounce";
import { el, find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { lookOf } from "tektite/map/looks";
import { Overlays } from "tektite/map/overlays";

const REDRAW_AFTER_MS = 120;

/**
 * @param {object} needs
 * @param {import("tektite/pages/label/view").View} needs.view
 * @param {import("tektite/map/grid_map").GridMap} needs.map
 * @param {import("tektite/map/rings_layer").RingsLayer} needs.rings
 * @param {object} needs.config Of the page.
 */
export function showLayers({ view, map, rings, config }) {
  listLayers(view);
  listCatalogues(map, rings, config);
  bindContrast(view);
}

function listLayers(view) {
  const box = find("#layers");
  for (const layer of view.layers) {
    const radio = el("input", { type: "radio", name: "layer", value: layer.uid });
    const note = layer.resampled && el("span", { class: "chip", title: gettext("Brought to this campaign's grid") }, gettext("resampled"));
    radio.addEventListener("change", () => view.set({ layer: layer.uid }));
    box.append(el("label", { class: "layer" }, radio, el("span", { class: "grow" }, layer.name), note));
  }
  const update = () => {
    for (const radio of box.querySelectorAll("input")) {
      radio.checked = radio.value === view.layer.uid;
    }
  };
  view.addEventListener("change", update);
  update();
}

function listCatalogues(map, rings, { overlays, urls }) {
  const box = find("#overlays");
  box.hidden = overlays.length === 0;
  const counts = new Map();
  const shown = new Overlays(map, rings, urls.features, (catalogue, count, isTruncated) => {
    counts.get(catalogue.uid).textContent = count === null ? gettext("not read") : `${count}${isTruncated ? "+" : ""}`;
  });
  for (const catalogue of overlays) {
    const tick = el("input", { type: "checkbox", value: catalogue.uid });
    const count = el("span", { class: "chip", hidden: true });
    counts.set(catalogue.uid, count);
    tick.addEventListener("change", () => {
      count.hidden = !tick.checked;
      count.textContent = "…";
      shown.toggle(catalogue, tick.checked);
    });
    const look = el("i", { class: `line ${lookOf(catalogue.origin, "candidate")}`, "aria-hidden": "true" });
    box.append(el("label", { class: "layer" }, tick, look, el("span", { class: "grow" }, catalogue.name), count));
  }
}

function bindContrast(view) {
  const box = find("#contrast");
  const sliders = [...box.querySelectorAll("input[type=range]")];
  const invert = find("[name=invert]", box);
  // One request for map tiles per pause of the hand, not per pixel of the slider.
  const set = debounce((patch) => view.set(patch), REDRAW_AFTER_MS);
  for (const slider of sliders) {
    slider.addEventListener("input", () => {
      slider.nextElementSibling.textContent = sliderText(slider.name, Number(slider.value));
      set({ [slider.name]: Number(slider.value) });
    });
  }
  invert.addEventListener("change", () => view.set({ invert: invert.checked }));
  find("#contrast-reset").addEventListener("click", () => view.reset());
  const update = () => {
    const { contrast } = view;
    for (const slider of sliders) {
      slider.value = String(contrast[slider.name]);
      slider.nextElementSibling.textContent = sliderText(slider.name, contrast[slider.name]);
    }
    invert.checked = contrast.invert;
    find("#contrast-text").textContent = contrastText(contrast);
  };
  view.addEventListener("change", update);
  update();
}

function sliderText(name, value) {
  return name === "gamma" ? numberText(value, 2) : `${trimmed(value)} %`;
}

function contrastText({ low_percent, high_percent, gamma, invert }) {
  const text = interpolate(gettext("%(low)s–%(high)s %  γ %(gamma)s"), {
    low: trimmed(low_percent),
    high: trimmed(high_percent),
    gamma: trimmed(gamma),
  });
  return invert ? `${text} · ${gettext("inverted")}` : text;
}

/** At most two digits after the point, and none that say nothing. */
const trimmed = (value) => String(Number(value.toFixed(2)));
