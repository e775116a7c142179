/** The operator's page says when what it shows is old, instead of looking alive. */

const stale = document.getElementById("stale");
const since = document.getElementById("stale-since");

document.body.addEventListener("htmx:beforeSwap", (event) => {
  // Signed out meanwhile: the answer is the sign-in page, which belongs into the whole window.
  if (event.detail.xhr.status === 200 && !event.detail.xhr.responseText.includes('id="operator-live"')) {
    event.detail.shouldSwap = false;
    window.location.reload();
  }
});

document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) {
    stale.hidden = true;
  } else if (stale.hidden) {
    since.textContent = new Date().toLocaleTimeString();
    stale.hidden = false;
  }
});
