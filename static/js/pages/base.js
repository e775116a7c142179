/**
 * On every page: the toasts that came with it can be closed, and those that only confirm go by
 * themselves; where tabs are wider than the screen, the one that is open is in view.
 */

const SECONDS_BEFORE_GOING = 8;

for (const toast of document.querySelectorAll("#toasts .toast")) {
  toast.querySelector(".close").addEventListener("click", () => toast.remove());
  if (!toast.matches(".error, .warning")) {
    setTimeout(() => toast.remove(), SECONDS_BEFORE_GOING * 1000);
  }
}

document.querySelector(".tabs [aria-current]")?.scrollIntoView({ inline: "nearest", block: "nearest" });
