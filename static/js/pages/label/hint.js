const SECONDS = 4;

/**
 * @param {HTMLElement} element
 * @returns {(text: string) => void} Says a short thing on the map that goes away by itself.
 */
export function makeHint(element) {
  let timer = 0;
  return (text) => {
    clearTimeout(timer);
    element.textContent = text;
    element.hidden = false;
    timer = setTimeout(() => {
      element.hidden = true;
    }, SECONDS * 1000);
  };
}
