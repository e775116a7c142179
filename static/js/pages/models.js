/** The pages of models and of the foil network: start trainings and searches, and go to watch them. */

import { ask } from "tektite/lib/api";
import { find } from "tektite/lib/dom";
import "tektite/lib/promote";

for (const form of document.querySelectorAll("form[data-start]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start(form);
  });
}

/** @param {HTMLFormElement} form */
async function start(form) {
  const [button, refusal] = [find("[type=submit]", form), find("[role=alert]", form)];
  const given = new FormData(form);
  const wish = { verb: form.dataset.verb };
  for (const name of ["preset", "start_from", "model_version", "basemap", "only_new"]) {
    if (given.get(name)) {
      wish[name] = given.get(name);
    }
  }
  if (given.has("label_catalogues")) {
    wish.label_catalogues = given.getAll("label_catalogues");
    wish.searched = given.get("complete") ?? "tiles";
  }
  button.disabled = true;
  refusal.hidden = true;
  try {
    const run = await ask("POST", form.dataset.start, wish);
    location.assign(run.url);
  } catch (error) {
    refusal.textContent = error.message;
    refusal.hidden = false;
    button.disabled = false;
  }
}
