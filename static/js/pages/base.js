/** On every page: the toasts that came with it can be closed. */

for (const button of document.querySelectorAll("#toasts .close")) {
  button.addEventListener("click", () => button.closest(".toast").remove());
}
