/** Toasts: short sentences about what just happened, with an undo where there is one. */

const SECONDS_BEFORE_GOING = 8;

/**
 * @param {string} text What happened, as a sentence.
 * @param {{kind?: "info"|"success"|"error", action?: {label: string, run: () => void}, close?: string}} [options]
 *   An error stays until it is closed. `close` is the name of the closing button for screen readers.
 * @returns {HTMLElement} The toast, so that its maker may take it away.
 */
export function toast(text, options = {}) {
  const box = document.getElementById("toasts");
  const element = document.createElement("div");
  element.className = `toast ${options.kind ?? "info"}`;
  const sentence = document.createElement("p");
  sentence.className = "grow";
  sentence.textContent = text;
  element.append(sentence);
  if (options.action) {
    const act = button(options.action.label, "");
    act.addEventListener("click", () => {
      element.remove();
      options.action.run();
    });
    element.append(act);
  }
  const close = button("✕", "close");
  close.setAttribute("aria-label", options.close ?? "Close");
  close.addEventListener("click", () => element.remove());
  element.append(close);
  box.append(element);
  if (options.kind !== "error") {
    setTimeout(() => element.remove(), SECONDS_BEFORE_GOING * 1000);
  }
  return element;
}

/**
 * @param {string} label
 * @param {string} className
 * @returns {HTMLButtonElement}
 */
function button(label, className) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = className;
  element.textContent = label;
  return element;
}
