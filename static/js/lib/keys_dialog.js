/** The panel of all keys, made from the one registry. */

import { el, find } from "tektite/lib/dom";
import { capsOf } from "tektite/lib/keys";

const REMEMBERED = "tektite.letters";

/**
 * @param {import("tektite/lib/keys").KeyRegistry} keys
 * @returns {() => void} Opens it.
 */
export function showKeys(keys) {
  const dialog = find("#keys-dialog");
  const isMac = /mac/i.test(navigator.userAgentData?.platform ?? navigator.platform ?? "");
  const letters = find("#letters");
  keys.letters = globalThis.localStorage.getItem(REMEMBERED) !== "off";
  letters.checked = keys.letters;
  letters.addEventListener("change", () => {
    keys.letters = letters.checked;
    globalThis.localStorage.setItem(REMEMBERED, letters.checked ? "on" : "off");
  });
  for (const cap of document.querySelectorAll("[data-caps]")) {
    cap.textContent = capsOf(cap.dataset.caps, isMac).join(" ");
  }
  const open = () => {
    find("#keys-list").replaceChildren(...[...keys.groups()].map(([title, group]) => groupOf(title, group, isMac)));
    dialog.showModal();
  };
  find("#open-keys").addEventListener("click", open);
  return open;
}

function groupOf(title, bindings, isMac) {
  const rows = bindings.map((binding) => {
    const caps = (binding.shown ?? binding.keys).flatMap((key, i) => [
      i ? " " : null,
      ...capsOf(key, isMac).map((cap) => el("kbd", {}, cap)),
    ]);
    return el("div", {}, el("dt", {}, ...caps), el("dd", {}, binding.title));
  });
  return el("section", {}, el("h3", {}, title), el("dl", {}, ...rows));
}
