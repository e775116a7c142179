/** Other catalogues over the map: fetched for what is in view, largest first. */

import { ask } from "tektite/lib/api";
import { debounce } from "tektite/lib/debounce";
import { fillUrl } from "tektite/lib/urls";
import { lookOf } from "tektite/map/looks";

/** @typedef {{uid: string, name: string, origin: string}} Catalogue */

const MOST_IN_VIEW = 2000;

export class Overlays {
  /**
   * @param {import("tektite/map/grid_map").GridMap} map
   * @param {import("tektite/map/rings_layer").RingsLayer} rings
   * @param {string} featuresUrl
   * @param {(catalogue: Catalogue, count: number|null, isTruncated: boolean) => void} onCount Null: could not be read.
   */
  constructor(map, rings, featuresUrl, onCount) {
    Object.assign(this, { map, rings, featuresUrl, onCount });
    /** @type {Map<string, {catalogue: Catalogue, abort: AbortController}>} Those switched on. */
    this.shown = new Map();
    const refresh = debounce(() => [...this.shown.values()].forEach(({ catalogue }) => this.#fetch(catalogue)), 250);
    map.onRest(refresh);
  }

  /** @param {Catalogue} catalogue @param {boolean} isOn */
  toggle(catalogue, isOn) {
    if (isOn) {
      this.#fetch(catalogue);
    } else {
      this.shown.get(catalogue.uid)?.abort.abort();
      this.shown.delete(catalogue.uid);
      this.rings.set(catalogue.uid, []);
    }
  }

  async #fetch(catalogue) {
    this.shown.get(catalogue.uid)?.abort.abort();
    const abort = new AbortController();
    this.shown.set(catalogue.uid, { catalogue, abort });
    const box = this.map.viewBox();
    if (!box) {
      return;
    }
    const query = { catalogue: catalogue.uid, bbox: box.map((degree) => degree.toFixed(6)).join(","), limit: MOST_IN_VIEW };
    try {
      const found = await ask("GET", fillUrl(this.featuresUrl, {}, query), null, abort.signal);
      this.#paint(catalogue, found);
    } catch (error) {
      if (error.name !== "AbortError") {
        this.onCount(catalogue, null, false);
      }
    }
  }

  #paint(catalogue, { features, truncated }) {
    const items = features.map(({ properties }) => ({
      circle: properties,
      look: lookOf(catalogue.origin, properties.status),
    }));
    this.rings.set(catalogue.uid, items);
    this.onCount(catalogue, items.length, Boolean(truncated));
  }
}
