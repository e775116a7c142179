"""The house keeps its own rules, and each rule finds a breach that was planted for it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.webapp import browser_rules, rules

ROOT = Path(__file__).parents[2]

RULES = [
    rules.imports_run_one_way,
    rules.keys_run_one_way,
    rules.mlcore_is_pure,
    rules.services_never_enqueue,
    rules.no_banned_names,
    browser_rules.modules_run_one_way,
    browser_rules.leaflet_stays_in_its_rooms,
    browser_rules.no_banned_scripts,
    browser_rules.templates_are_strict,
    browser_rules.pages_that_ask_anew_load_htmx,
]

# (rule, the file that breaks it, its text; the breach is on the last line)
PLANTED = [
    (rules.imports_run_one_way, "mlcore/geodesy.py", "import math\nfrom annotate.models import Mark"),
    (rules.imports_run_one_way, "annotate/services/marks.py", "def f():\n    import review.models"),
    (rules.imports_run_one_way, "annotate/models/mark.py", "from annotate.services import marks"),
    (rules.imports_run_one_way, "annotate/models/mark.py", "from ..services.marks import draw"),
    (rules.imports_run_one_way, "review/services/queue.py", "from annotate.access import me"),
    (rules.imports_run_one_way, "review/services/queue.py", "from review.tasks import train_task"),
    (rules.imports_run_one_way, "review/tasks.py", "from webapp.celery import app"),
    (rules.imports_run_one_way, "review/services/runs.py", "from benchmarks.rig.site import Site"),
    (rules.imports_run_one_way, "annotate/helpers.py", ""),
    (rules.keys_run_one_way, "annotate/models/mark.py", 'run = models.ForeignKey("review.Run")'),
    (rules.keys_run_one_way, "annotate/models/mark.py", 'run = ManyToManyField(Tile, through="review.Run")'),
    (rules.keys_run_one_way, "annotate/migrations/0003_x.py", 'dependencies = [("review", "0001_initial")]'),
    (rules.keys_run_one_way, "annotate/migrations/0003_x.py", 'run = models.OneToOneField(to="review.run")'),
    (rules.mlcore_is_pure, "mlcore/bodies.py", "from django.conf import settings"),
    (rules.mlcore_is_pure, "mlcore/api.py", "def f():\n    import torch"),
    (rules.mlcore_is_pure, "review/services/training.py", "from torchvision.ops import nms"),
    (rules.services_never_enqueue, "review/services/training.py", "train_task.delay_on_commit(1)"),
    (rules.services_never_enqueue, "review/views/api.py", "train_task.delay(1)"),
    (
        rules.no_banned_names,
        "annotate/models/mark.py",
        "from django.contrib.gis.db.models.functions import Area",
    ),
    (rules.no_banned_names, "annotate/models/mark.py", "geom = models.PointField(srid=4326)"),
    (rules.no_banned_names, "annotate/models/mark.py", "class Mark:\n    def save(self): ..."),
    (rules.no_banned_names, "annotate/services/marks.py", 'text = "SRID=4326;POINT(0 0)"'),
    (rules.no_banned_names, "mlcore/artifact.py", "import pickle"),
    (rules.no_banned_names, "annotate/services/basemaps.py", "import requests"),
    (rules.no_banned_names, "annotate/services/basemaps.py", "from urllib import request"),
    (rules.no_banned_names, "annotate/services/basemaps.py", "from urllib.request import urlopen"),
    (rules.no_banned_names, "mlcore/raster/source.py", "import http.client"),
    (rules.no_banned_names, "mlcore/training.py", "state = torch.load(path)"),
    (rules.no_banned_names, "mlcore/dataset.py", "np.load(path, allow_pickle=True)"),
    (rules.no_banned_names, "annotate/views/pages.py", "from django.utils.safestring import mark_safe"),
    (rules.no_banned_names, "annotate/views/api.py", "from django.views.decorators.csrf import csrf_exempt"),
    (rules.no_banned_names, "annotate/views/api.py", "from django.db.models.signals import post_save"),
    (rules.no_banned_names, "annotate/services/exports.py", "subprocess.run(name, shell=True)"),
    (browser_rules.modules_run_one_way, "static/js/geo/a.js", 'import {\n  b\n} from "tektite/map/b";'),
    (browser_rules.modules_run_one_way, "static/js/pages/a.js", 'import { b } from "tektite/lib/b"'),
    (browser_rules.modules_run_one_way, "static/js/pages/a.js", 'import "tektite/lib/gone";'),
    (browser_rules.modules_run_one_way, "static/js/pages/a.js", 'export { b } from "../lib/b.js";'),
    (browser_rules.modules_run_one_way, "static/js/a.js", ""),
    (browser_rules.leaflet_stays_in_its_rooms, "static/js/pages/a.js", "// L.map is not used\nL.map('map');"),
    (
        browser_rules.leaflet_stays_in_its_rooms,
        "static/js/geo/a.js",
        'const a = "document";\ndocument.title;',
    ),
    (browser_rules.no_banned_scripts, "static/js/draw/a.js", "L.circle([0, 0], 1);"),
    (browser_rules.no_banned_scripts, "static/js/draw/a.js", "a.distanceTo(b);"),
    (browser_rules.no_banned_scripts, "static/js/lib/a.js", "box.innerHTML = text;"),
    (browser_rules.no_banned_scripts, "static/js/lib/a.js", "fetch(`/api/v1/marks`);"),
    (browser_rules.templates_are_strict, "templates/a.html", '<p>\n<p style="color: red">'),
    (browser_rules.templates_are_strict, "templates/a.html", "<script>alert(1)</script>"),
    (browser_rules.templates_are_strict, "templates/a.html", '<p onclick="a()">'),
    (browser_rules.templates_are_strict, "templates/a.html", "{{ name|safe }}"),
    (browser_rules.templates_are_strict, "templates/a.html", '<a href="/campaigns/">'),
    (
        browser_rules.pages_that_ask_anew_load_htmx,
        "templates/a.html",
        '{% extends "b.html" %}\n<p hx-get="{{ url }}">',
    ),
]

Rule = Callable[[Path], list[str]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule):
    breaches = rule(ROOT)
    assert not breaches, "\n".join(["", *breaches])


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED, ids=[f"{r.__name__}-{p}" for r, p, _ in PLANTED])
def test_a_planted_breach_is_found_by_file_and_line(rule: Rule, path: str, text: str, tmp_path: Path):
    for known in ("static/js/lib/b.js", "static/js/map/b.js", "templates/b.html"):
        (tmp_path / known).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / known).touch()
    planted = tmp_path / path
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(text)
    breaches = rule(tmp_path)
    assert len(breaches) == 1, breaches
    lines = text.count("\n") + 1
    assert breaches[0].startswith(f"{path}:{lines}: ") or path.endswith("models/mark.py")


def test_what_is_right_is_left_alone(tmp_path: Path):
    right = {
        "mlcore/crater_detector/config.py": "",
        "mlcore/crater_detector/model.py": "import torch\nstate = torch.load(path, weights_only=True)",
        "annotate/models/mark.py": 'tile = models.ForeignKey("annotate.Tile")',
        "review/views/api.py": (
            "from annotate.access import me\nfrom review.tasks import train\ntrain.delay_on_commit(1)"
        ),
        "review/migrations/0001_initial.py": 'dependencies = [("annotate", "0001_initial")]',
        "static/js/map/b.js": '/** @type {import("tektite/geo/a").A} */\nimport { a } from "tektite/geo/a";',
        "static/js/geo/a.js": 'export const a = "https://example.org"; // L.circle( and document',
        "templates/p.html": '<script type="module" src="{% static "a.js" %}"></script><a href="{{ url }}">',
    }
    for path, text in right.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert [breach for rule in RULES for breach in rule(tmp_path)] == []


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after running the code."""
    script = f"import sys\n{code}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


IMPORT_ALL = """
import importlib, pkgutil
for package in {packages}:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def test_the_web_process_never_loads_torch():
    start = "import webapp.wsgi, webapp.celery, django.urls\ndjango.urls.get_resolver().reverse_dict\n"
    loaded = loaded_after(start + IMPORT_ALL.format(packages=["webapp", "annotate", "review"]))
    assert "annotate" in loaded and "review" in loaded
    assert not loaded & {"torch", "torchvision"}


def test_mlcore_runs_without_a_web_framework():
    loaded = loaded_after(IMPORT_ALL.format(packages=["mlcore"]))
    assert not loaded & rules.FRAMEWORKS


def test_the_seam_is_light():
    loaded = loaded_after("import mlcore.api, mlcore.registry")
    assert not loaded & {"torch", "torchvision", *rules.FRAMEWORKS}


def test_training_needs_no_raster_library():
    """A GPU machine with torch, numpy, scipy and pyproj is enough for a frozen dataset."""
    loaded = loaded_after("import mlcore.crater_detector.verbs")
    assert "torch" in loaded
    assert not loaded & {"rasterio", "shapely", *rules.FRAMEWORKS}
