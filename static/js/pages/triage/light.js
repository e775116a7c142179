/** Contrast, brightness and inversion of what is looked at; each survives to the next picture and the next visit. */

import { find } from "tektite/lib/dom";

const REMEMBERED = "tektite.triage.light";
const PLAIN = { contrast: 1, brightness: 1, inverted: false };
// What one key goes through.
const CONTRASTS = [1, 1.6, 2.4, 3.4];

/** @param {HTMLElement} sheet That holds the picture. @returns {{nextContrast: () => void, invert: () => void}} */
export function lightOf(sheet) {
  let light = remembered();
  const panel = find("#light");
  const opener = find('[data-tool="light"]');
  const inverter = find('[data-tool="invert"]');
  const sliders = { contrast: find("#contrast"), brightness: find("#brightness") };
  const change = (changes) => {
    light = { ...light, ...changes };
    show();
    remember(light);
  };
  const show = () => {
    const { contrast, brightness, inverted } = light;
    sheet.style.filter = `${inverted ? "invert(1) " : ""}brightness(${brightness}) contrast(${contrast})`;
    inverter.setAttribute("aria-pressed", String(inverted));
    opener.classList.toggle("on", contrast !== 1 || brightness !== 1);
    Object.entries(sliders).forEach(([name, slider]) => {
      slider.value = String(light[name]);
    });
  };
  for (const [name, slider] of Object.entries(sliders)) {
    slider.addEventListener("input", () => change({ [name]: Number(slider.value) }));
  }
  const invert = () => change({ inverted: !light.inverted });
  opener.addEventListener("click", () => {
    panel.hidden = !panel.hidden;
    opener.setAttribute("aria-expanded", String(!panel.hidden));
  });
  inverter.addEventListener("click", invert);
  find("#light-plain").addEventListener("click", () => change(PLAIN));
  show();
  return { invert, nextContrast: () => change({ contrast: CONTRASTS.find((step) => step > light.contrast + 0.01) ?? 1 }) };
}

function remembered() {
  try {
    return { ...PLAIN, ...JSON.parse(globalThis.localStorage.getItem(REMEMBERED)) };
  } catch {
    return PLAIN; // forbidden, or not written by us
  }
}

function remember(light) {
  try {
    globalThis.localStorage.setItem(REMEMBERED, JSON.stringify(light));
  } catch {
    // Then the next visit begins with plain light.
  }
}
