/** When the picture does not come: why, in a sentence, and that the marks are safe all the same. */

import { ask } from "tektite/lib/api";
import { debounce } from "tektite/lib/debounce";
import { find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { fillUrl } from "tektite/lib/urls";

// Tiles fail in dozens; one sentence is enough.
const TELL_AFTER_MS = 400;

/**
 * @param {object} needs
 * @param {import("tektite/map/imagery").Imagery} needs.imagery
 * @param {import("tektite/pages/label/view").View} needs.view
 * @param {string} needs.basemapUrl
 */
export function showPicture({ imagery, view, basemapUrl }) {
  const box = find("#picture");
  const tell = debounce(async () => {
    const { layer } = view;
    const why = await reasonOf(basemapUrl, layer);
    if (view.layer === layer) {
      find("#picture-text").textContent = `${why} ${gettext("Your marks are safe.")}`;
      box.hidden = false;
    }
  }, TELL_AFTER_MS);
  const forget = () => {
    tell.cancel();
    box.hidden = true;
  };
  const again = () => {
    if (!box.hidden) {
      forget();
      imagery.reload();
    }
  };
  imagery.addEventListener("missing", tell);
  view.addEventListener("change", forget);
  find("#picture-retry").addEventListener("click", again);
  globalThis.addEventListener("online", again);
}

async function reasonOf(basemapUrl, layer) {
  const unknown = interpolate(gettext("Part of “%(name)s” could not be loaded."), layer);
  try {
    const { error } = await ask("GET", fillUrl(basemapUrl, layer));
    return error || unknown;
  } catch (error) {
    return error.isPassing ? interpolate(gettext("The server cannot be reached: part of “%(name)s” is missing."), layer) : error.message;
  }
}
