/**
 * @template {unknown[]} A
 * @param {(...args: A) => void} run
 * @param {number} ms
 * @returns {((...args: A) => void) & {flush: () => void, cancel: () => void}} Runs once, ms after the last call.
 */
export function debounce(run, ms) {
  let timer = 0;
  let latest = null;
  const fire = () => {
    clearTimeout(timer);
    const args = latest;
    latest = null;
    if (args) {
      run(...args);
    }
  };
  const later = (...args) => {
    latest = args;
    clearTimeout(timer);
    timer = setTimeout(fire, ms);
  };
  return Object.assign(later, {
    flush: fire,
    cancel: () => {
      latest = null;
      clearTimeout(timer);
    },
  });
}
