/** How the person looks at the campaign: layer and contrast, kept by the server for the next tile and the next day. */

import { ask } from "tektite/lib/api";
import { debounce } from "tektite/lib/debounce";

/**
 * @typedef {object} Layer
 * @property {string} uid
 * @property {string} name
 * @property {string} kind
 * @property {string|null} unit
 * @property {number|null} sun_azimuth_deg
 * @property {number|null} sun_incidence_deg
 * @property {boolean} resampled
 * @property {string} tile_url
 */

const PLAIN = { low_percent: 2, high_percent: 98, gamma: 1, invert: false };
const KEEP_AFTER_MS = 700;

/** Emits "change". */
export class View extends EventTarget {
  /** @param {{layers: Layer[], view: object, urls: {view: string}}} config */
  constructor({ layers, view, urls }) {
    super();
    this.layers = layers;
    this.settings = { ...PLAIN, layer: layers[0]?.uid ?? null, ...view };
    // A preference that could not be kept costs nothing but itself: no complaint.
    this.keep = debounce(() => ask("PUT", urls.view, this.settings).catch(() => {}), KEEP_AFTER_MS);
  }

  /** @returns {Layer} */
  get layer() {
    return this.layers.find(({ uid }) => uid === this.settings.layer) ?? this.layers[0];
  }

  /** @returns {{low_percent: number, high_percent: number, gamma: number, invert: boolean}} */
  get contrast() {
    const { low_percent, high_percent, gamma, invert } = this.settings;
    return { low_percent, high_percent, gamma, invert };
  }

  /** @param {Partial<View["settings"]>} patch */
  set(patch) {
    this.settings = { ...this.settings, ...patch };
    this.keep();
    this.dispatchEvent(new Event("change"));
  }

  reset() {
    this.set(PLAIN);
  }

  nextLayer() {
    const at = this.layers.indexOf(this.layer);
    this.set({ layer: this.layers[(at + 1) % this.layers.length].uid });
  }
}
