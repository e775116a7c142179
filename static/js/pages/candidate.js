/** A candidate's page: other depths of focus, larger, inverted; places that an expert clicks. */

import { find } from "tektite/lib/dom";
import { svg } from "tektite/lib/svg";

const MOST_PLACES = 20;

const specimen = find("#specimen");
const image = /** @type {HTMLImageElement} */ (find("#image"));
const marks = find("#marks");

/**
 * Of several buttons one is pressed.
 * @param {string} selector
 * @param {(button: HTMLElement) => void} choose
 */
function oneOf(selector, choose) {
  const buttons = [...document.querySelectorAll(selector)];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      choose(button);
    });
  }
}

/**
 * @param {string} selector
 * @param {(isOn: boolean) => void} turn
 */
function toggle(selector, turn) {
  const button = find(selector);
  button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOn));
    turn(isOn);
  });
}

oneOf("[data-image]", (button) => {
  image.src = button.dataset.image;
});
oneOf("[data-zoom].button", (button) => {
  // What is in the middle stays there.
  const across = (specimen.scrollLeft + specimen.clientWidth / 2) / specimen.scrollWidth;
  const down = (specimen.scrollTop + specimen.clientHeight / 2) / specimen.scrollHeight;
  specimen.dataset.zoom = button.dataset.zoom;
  specimen.scrollLeft = across * specimen.scrollWidth - specimen.clientWidth / 2;
  specimen.scrollTop = down * specimen.scrollHeight - specimen.clientHeight / 2;
});
toggle("#invert", (isOn) => image.classList.toggle("inverted", isOn));
toggle("#hide-marks", (isOn) => marks.classList.toggle("hidden-marks", isOn));

const form = document.querySelector("#confirmation");
if (form) {
  const places = find("#places", form);

  /** @returns {HTMLElement[]} */
  const rows = () => [...places.children];

  /** @param {HTMLElement} row @param {string} name @returns {HTMLInputElement} */
  const input = (row, name) => find(`[name=${name}]`, row);

  /** @param {HTMLElement} row @param {string} name @returns {number|null} */
  const number = (row, name) => {
    const typed = input(row, name).value.trim().replace(",", ".");
    return typed && Number.isFinite(Number(typed)) ? Number(typed) : null;
  };

  /** An empty row to fill, made of the last one where none is empty. */
  const emptyRow = () => {
    const last = rows().at(-1);
    if (last && number(last, "x_px") === null) {
      return last;
    }
    const row = last.cloneNode(true);
    for (const field of row.querySelectorAll("input")) {
      field.value = "";
    }
    places.append(row);
    return row;
  };

  const draw = () => {
    const scale = Number(marks.dataset.nmPerPx);
    const dot = Number(marks.dataset.dot);
    const shown = rows().flatMap((row) => {
      const [x, y, diameter] = ["x_px", "y_px", "diameter_um"].map((name) => number(row, name));
      if (x === null || y === null) {
        return [];
      }
      const radius = scale && diameter ? (500 * diameter) / scale : 2 * dot;
      return [svg("circle", { class: "spot", cx: x, cy: y, r: radius })];
    });
    find("#spots").replaceChildren(...shown);
  };

  image.parentElement.classList.add("clickable");
  image.parentElement.addEventListener("click", (event) => {
    if (rows().length >= MOST_PLACES && number(rows().at(-1), "x_px") !== null) {
      return;
    }
    const box = image.getBoundingClientRect();
    const row = emptyRow();
    // What judges and experts see may be smaller than the picture; places are in the picture's own pixels.
    const [width, height] = [Number(image.getAttribute("width")), Number(image.getAttribute("height"))];
    input(row, "x_px").value = ((width * (event.clientX - box.left)) / box.width).toFixed(1);
    input(row, "y_px").value = ((height * (event.clientY - box.top)) / box.height).toFixed(1);
    draw();
    input(row, "diameter_um").focus({ preventScroll: true });
  });
  places.addEventListener("input", draw);
  places.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("[data-remove]");
    if (!button) {
      return;
    }
    const row = button.closest(".spot-row");
    if (rows().length > 1) {
      row.remove();
    } else {
      for (const field of row.querySelectorAll("input")) {
        field.value = "";
      }
    }
    draw();
  });
  draw();
}
