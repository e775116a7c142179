/** proj4 as the pages get it: the file that django-leaflet brings, which is a classic script. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const SAYS_WHERE = "import importlib.util as u; print(u.find_spec('leaflet').submodule_search_locations[0])";
const inVenv = new URL("../../.venv/bin/python", import.meta.url).pathname;

const python = existsSync(inVenv) ? inVenv : "python3";
const folder = execFileSync(python, ["-c", SAYS_WHERE], { encoding: "utf8" }).trim();
const module = { exports: {} };
new Function("module", "exports", readFileSync(`${folder}/static/leaflet/proj4.js`, "utf8"))(module, module.exports);

export const proj4 = module.exports;
