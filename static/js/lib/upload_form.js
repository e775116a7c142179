/**
 * A form with files: it is sent as it stands, with a bar that says how much has arrived.
 * Without this script it is sent just the same, only silently. Its sentences are in its data attributes.
 */

const MEGABYTE = 1e6;

/** @param {HTMLFormElement} form */
export function watchUpload(form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
  for (const input of inputs(form)) input.addEventListener("change", () => check(form, input));
}

/**
 * @param {HTMLFormElement} form
 * @returns {HTMLInputElement[]}
 */
function inputs(form) {
  return [...form.querySelectorAll("input[type=file]")];
}

/**
 * What would be refused is refused before it is sent.
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement} input
 */
function check(form, input) {
  const files = [...input.files];
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  let sentence = "";
  if (bytes > Number(form.dataset.largest)) sentence = form.dataset.larger.replace("{size}", size(bytes));
  if (files.length > Number(form.dataset.mostFiles ?? Infinity)) sentence = form.dataset.tooMany;
  input.setCustomValidity(sentence);
  if (sentence) input.reportValidity();
}

/** @param {number} bytes */
function size(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / MEGABYTE)} MB`;
}

/** @param {HTMLFormElement} form */
function send(form) {
  const request = new XMLHttpRequest();
  const bar = form.querySelector(".upload-progress progress");
  const words = form.querySelector(".upload-progress p");
  const button = form.querySelector("button[type=submit]");
  form.querySelector(".upload-progress").hidden = false;
  button.disabled = true;

  const refuse = (/** @type {string} */ sentence) => {
    words.textContent = sentence;
    words.className = "small bad progress-text";
    button.disabled = false;
  };
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    bar.value = event.loaded / event.total;
    words.textContent =
      event.loaded < event.total
        ? form.dataset.sending
            .replace("{sent}", (event.loaded / MEGABYTE).toFixed(1))
            .replace("{all}", (event.total / MEGABYTE).toFixed(1))
        : form.dataset.sent;
  });
  request.addEventListener("load", () => {
    if (request.status === 413 || request.status === 507) {
      // A proxy's own 413 has no words of ours.
      refuse(request.responseXML?.querySelector("main [role=alert]")?.textContent ?? form.dataset.tooLarge);
    } else if (request.status === 422) {
      showErrors(form, request.responseXML);
    } else if (request.status < 400) {
      window.location.assign(request.responseURL);
    } else {
      document.documentElement.replaceWith(document.adoptNode(request.responseXML.documentElement));
    }
  });
  request.addEventListener("error", () => refuse(form.dataset.failed));
  request.open("POST", form.action);
  request.responseType = "document";
  request.send(new FormData(form));
}

/**
 * The server's own form takes the place of ours; the chosen files are kept, since a form that comes
 * from the server cannot hold any.
 * @param {HTMLFormElement} form
 * @param {Document} answer
 */
function showErrors(form, answer) {
  const fresh = document.importNode(answer.getElementById("upload"), true);
  const chosen = inputs(form);
  inputs(fresh).forEach((input, index) => input.replaceWith(chosen[index]));
  form.replaceWith(fresh);
  watchUpload(fresh);
  fresh.querySelector(".errorlist, .notice.bad")?.scrollIntoView({ block: "center" });
}
