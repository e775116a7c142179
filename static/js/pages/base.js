/** On every page: the toasts that came with it can be closed; those that only confirm go by themselves. */

const SECONDS_BEFORE_GOING = 8;

for (const toast of document.querySelectorAll("#toasts .toast")) {
  toast.querySelector(".close").addEventListener("click", () => toast.remove());
  if (!toast.matches(".error, .warning")) {
    setTimeout(() => toast.remove(), SECONDS_BEFORE_GOING * 1000);
  }
}
