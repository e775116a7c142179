/** Buttons that make a model version the current one. */

import { ask } from "tektite/lib/api";
import { toast } from "tektite/lib/toasts";

for (const button of document.querySelectorAll("[data-promote]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await ask("POST", button.dataset.promote);
      location.reload();
    } catch (error) {
      button.disabled = false;
      toast(error.message, { kind: "error" });
    }
  });
}
