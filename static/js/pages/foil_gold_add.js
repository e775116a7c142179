// A lead's word on a picture: a click writes its place, in the picture's own pixels, on a line of the form.

const image = /** @type {HTMLImageElement | null} */ (document.getElementById("by-hand"));
const places = /** @type {HTMLTextAreaElement | null} */ (document.getElementById("id_places"));

image?.addEventListener("click", (event) => {
  if (!places) {
    return;
  }
  const box = image.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * Number(image.getAttribute("width"));
  const y = ((event.clientY - box.top) / box.height) * Number(image.getAttribute("height"));
  const before = places.value.trimEnd();
  places.value = `${before}${before ? "\n" : ""}${x.toFixed(1)}, ${y.toFixed(1)}\n`;
});
