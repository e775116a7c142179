/** The stream page: a slider goes through thresholds, and what each would remove and lose is shown at once.
 *
 * All texts and places come with the page (review/views/foils/tradeoff.py); here they are only put where they belong.
 */

import { find } from "tektite/lib/dom";
import { nearestStep } from "tektite/lib/steps";

/**
 * @typedef {{x: number, y: number, left: number, right: number}} Dot
 * @typedef {{threshold: string, texts: Record<string, string>, dots: Dot[]}} Step
 */

const config = document.getElementById("tradeoff-config");
if (config) {
  begin(JSON.parse(config.textContent));
}

/** @param {{steps: Step[], at: number}} given */
function begin({ steps }) {
  const slider = /** @type {HTMLInputElement} */ (find("#threshold-slider"));
  const number = /** @type {HTMLInputElement} */ (find("#id_threshold"));
  const thresholds = steps.map((step) => Number(step.threshold));
  find(".threshold-slider").hidden = false;
  slider.setAttribute("aria-valuetext", steps[Number(slider.value)].threshold);

  slider.addEventListener("input", () => {
    const step = steps[Number(slider.value)];
    number.value = step.threshold;
    slider.setAttribute("aria-valuetext", step.threshold);
    show(step);
  });
  number.addEventListener("input", () => {
    const at = nearestStep(thresholds, Number(number.value));
    if (at !== null) {
      slider.value = String(at);
      slider.setAttribute("aria-valuetext", steps[at].threshold);
      show(steps[at]);
    }
  });
}

/** @param {Step} step */
function show(step) {
  const texts = { ...step.texts, threshold: step.threshold };
  for (const place of document.querySelectorAll("[data-figure]")) {
    const text = texts[/** @type {HTMLElement} */ (place).dataset.figure];
    if (text !== undefined && place.textContent !== text) {
      place.textContent = text;
    }
  }
  for (const [n, dot] of step.dots.entries()) {
    const group = find(`[data-dot="${n}"]`);
    group.querySelector("path").setAttribute("d", `M${dot.left} ${dot.y}H${dot.right}`);
    group.querySelector("circle").setAttribute("cx", String(dot.x));
    group.querySelector("circle").setAttribute("cy", String(dot.y));
  }
}
