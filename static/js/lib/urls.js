/**
 * @param {string} template An address from the server with {names} in it; none is written in a script.
 * @param {Record<string, string|number>} values
 * @param {Record<string, string|number|boolean|null|undefined>} [query] Empty ones are left out.
 * @returns {string}
 */
export function fillUrl(template, values, query = {}) {
  const path = template.replace(/\{(\w+)\}/g, (_, name) => {
    if (values[name] === undefined) {
      throw new Error(`${template} needs a value for ${name}.`);
    }
    return encodeURIComponent(String(values[name]));
  });
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}${path.includes("?") ? "&" : "?"}${text}` : path;
}
