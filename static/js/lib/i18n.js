/** Texts that people see: marked for translation in the words of Django's own catalogue for scripts. */

/** @type {Record<string, string|string[]>} A page may carry the texts of its language; English needs none. */
const CATALOGUE = JSON.parse(globalThis.document?.getElementById("js-catalogue")?.textContent ?? "{}");

/**
 * @param {string} text
 * @returns {string}
 */
export function gettext(text) {
  return [CATALOGUE[text] ?? text].flat()[0];
}

/**
 * @param {string} one
 * @param {string} many
 * @param {number} count
 * @returns {string}
 */
export function ngettext(one, many, count) {
  const forms = CATALOGUE[one] ?? [one, many];
  return count === 1 ? forms[0] : forms[1];
}

/**
 * @param {string} text With %(name)s where values go.
 * @param {Record<string, unknown>} values
 * @returns {string}
 */
export function interpolate(text, values) {
  return text.replace(/%\((\w+)\)s/g, (_, name) => String(values[name]));
}
