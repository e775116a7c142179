/** The page of a run: asks for what is new while it lasts, and only while somebody looks. */

import { ask } from "tektite/lib/api";
import { clockText } from "tektite/lib/clock";
import { drawCurves } from "tektite/lib/curves";
import { el, find } from "tektite/lib/dom";
import { gettext, interpolate } from "tektite/lib/i18n";
import { toast } from "tektite/lib/toasts";
import { fillUrl } from "tektite/lib/urls";
import "tektite/lib/promote";

const EVERY_MS = 2000;
const ACTIVE = ["queued", "running", "cancelling"];

const config = JSON.parse(find("#run-config").textContent);
const cancel = document.getElementById("cancel");
/** @type {import("tektite/lib/curves").Curves} */
const curves = new Map();
let lastEvent = 0;

/** @param {object} run As the API gives it, with the events since the last time. */
function show(run) {
  find("#stage").textContent = run.stage || run.state;
  find("#bar").value = run.progress;
  find("#bar").classList.toggle("done", run.state === "finished");
  const goesOn = ACTIVE.includes(run.state) && !run.trouble;
  find("#eta").textContent = run.eta_s && goesOn ? remaining(run.eta_s) : "";
  find("#state").className = `state ${run.state}`;
  find("#state").textContent = run.state_title;
  find("#worker").textContent = run.worker
    ? interpolate(gettext("%(worker)s, attempt %(attempt)s"), { worker: run.worker, attempt: run.attempt })
    : "";
  find("#trouble").hidden = !run.trouble;
  find("#trouble").textContent = run.trouble;
  find("#error").hidden = !run.error;
  find("#error").textContent = run.error;
  if (cancel) {
    cancel.hidden = !ACTIVE.includes(run.state);
    cancel.disabled = run.state === "cancelling";
  }
  showDataset(run.dataset);
  const news = run.events.filter((event) => event.id > lastEvent);
  for (const event of news) {
    lastEvent = event.id;
    if (event.kind === "metric") {
      addPoint(event.payload);
    } else {
      addLine(event);
    }
  }
  if (news.some((event) => event.kind === "metric")) {
    find("#curves").hidden = false;
    find("#curves").hidden = !drawCurves(find("#curves svg"), find("#curve-legend"), curves);
  }
}

/** @param {{sha256: string, counts: Record<string, Record<string, number>>}|null} dataset Null until it is frozen. */
function showDataset(dataset) {
  if (!dataset) {
    return;
  }
  find("#learns").hidden = false;
  find("#dataset").textContent = dataset.sha256.slice(0, 12);
  for (const cell of document.querySelectorAll("[data-count]")) {
    const [what, side] = cell.dataset.count.split(" ");
    cell.textContent = (dataset.counts[what]?.[side] ?? 0).toLocaleString("en");
  }
}

function addPoint({ name, step, value }) {
  const points = curves.get(name) ?? [];
  // An attempt that goes on from a checkpoint walks some steps again.
  curves.set(name, [...points.filter(([known]) => known < step), [step, value]]);
}

function addLine({ payload, at }) {
  const log = find("#log");
  find("#log-empty").hidden = true;
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 20;
  log.append(el("li", {}, el("time", { datetime: at }, clockText(new Date(at))), payload.message));
  if (atEnd) {
    log.scrollTop = log.scrollHeight;
  }
}

/** @type {(seconds: number) => string} */
const remaining = (seconds) =>
  seconds < 90
    ? interpolate(gettext("about %(n)s s left"), { n: Math.max(1, Math.round(seconds)) })
    : interpolate(gettext("about %(n)s min left"), { n: Math.round(seconds / 60) });

async function watch() {
  let run = config.run;
  while (ACTIVE.includes(run.state)) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    if (document.hidden) {
      continue;
    }
    try {
      run = await ask("GET", fillUrl(config.urls.run, {}, { after: lastEvent }));
      show(run);
    } catch (error) {
      if (!error.isPassing) {
        toast(error.message, { kind: "error" });
        return;
      }
    }
  }
  // What it left, the version with its figures or the catalogue, is the server's to show.
  if (run !== config.run) {
    location.reload();
  }
}

cancel?.addEventListener("click", async () => {
  try {
    show(await ask("POST", config.urls.cancel));
  } catch (error) {
    toast(error.message, { kind: "error" });
  }
});

show(config.run);
await watch();
