"""The rules of the house that no linter knows. Each rule reads a tree of files and names every breach.

A breach is "path:line: what is wrong and what would be right"; an empty list means a tidy house.
`docs/ARCHITECTURE.md` says why; `test_house.py` runs the rules on this repository and on planted breaches.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("mlcore", "annotate", "review", "webapp")  # each may import those before it
# They import the house, and nothing of it imports them.
AROUND_IT = {"tests", "benchmarks"}

# Inside an app, a module may import modules of its own rank and of lower ranks, in its own app and in those
# before it. What is new at the top of an app has to be given a rank here.
RANKS = {
    "models": 1,
    "migrations": 1,
    "body_sphere": 0,
    "fields": 0,
    "apps": 0,
    "services": 2,
    "access": 3,
    "answers": 4,
    "forms": 4,
    "permissions": 4,
    "serializers": 4,
    "templatetags": 4,
    "tasks": 5,
    "views": 5,
    "admin": 5,
    "management": 5,
    "urls": 6,
}
FOREIGN_KEYS = {"ForeignKey", "OneToOneField", "ManyToManyField"}
FRAMEWORKS = {"django", "celery", "rest_framework", "rest_framework_gis", "environ", "allauth"}
TORCH = {"torch", "torchvision"}
# Besides the folders of the systems, which hold their networks.
TORCH_MODULES = {"mlcore.training"}
ENQUEUE = {"delay", "delay_on_commit", "apply_async", "apply_async_on_commit", "send_task"}

PICKLES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
FETCHERS = {"requests", "httpx", "aiohttp", "urllib3"}
FETCHING_MODULES = {"urllib.request", "http.client"}
EARTHLY = {
    "Area",
    "Length",
    "Perimeter",
    "OSMWidget",
    "OpenLayersWidget",
    "GISModelAdmin",
    "OSMGeoAdmin",
}
# (path, name): why it is right there.
ALLOWED_NAMES = {
    ("webapp/templatetags/modules.py", "mark_safe"): "the import map is JSON that it has escaped itself",
}


def _modules(root: Path) -> Iterator[tuple[str, str, ast.Module]]:
    """(dotted name, path relative to root, syntax tree) of every module of the four packages."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            relative = path.relative_to(root)
            name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
            yield name, relative.as_posix(), ast.parse(path.read_text(), filename=str(path))


def _imports(name: str, path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything a module imports, also inside functions and for types only."""
    parents = name.split(".") if path.endswith("__init__.py") else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            origin = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            # `from annotate import services` imports annotate.services.
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def _rank(dotted: str) -> int | None:
    """The rank of an app's module; None for mlcore, webapp and an app's bare name."""
    parts = dotted.split(".")
    if parts[0] not in ("annotate", "review") or len(parts) < 2:
        return None
    return RANKS.get(parts[1])


def imports_run_one_way(root: Path) -> list[str]:
    """webapp ▶ review ▶ annotate ▶ mlcore, and inside an app urls ▶ views · tasks ▶ services ▶ models."""
    breaches = []
    for name, path, tree in _modules(root):
        package, rank = name.split(".")[0], _rank(name)
        if rank is None and package in ("annotate", "review") and "." in name:
            breaches.append(
                f"{path}:1: {name.split('.')[1]} has no rank: give it one in tests/webapp/rules.py"
            )
        for line, target in _imports(name, path, tree):
            other = target.split(".")[0]
            if other in AROUND_IT:
                breaches.append(f"{path}:{line}: {package} may not import {other} ({target})")
            if other not in PACKAGES:
                continue
            if PACKAGES.index(other) > PACKAGES.index(package):
                breaches.append(f"{path}:{line}: {package} may not import {other} ({target})")
            elif rank is not None and (other_rank := _rank(target)) is not None and other_rank > rank:
                breaches.append(f"{path}:{line}: {name} may not import {target}, which stands above it")
    return breaches


def keys_run_one_way(root: Path) -> list[str]:
    """No foreign key, as a string or not, and no migration's dependency points to a package above."""
    breaches = []
    for name, path, tree in _modules(root):
        package = name.split(".")[0]
        for node in ast.walk(tree):
            for target in _key_targets(node):
                if target in PACKAGES and PACKAGES.index(target) > PACKAGES.index(package):
                    breaches.append(f"{path}:{node.lineno}: {package} may not depend on tables of {target}")
    return breaches


def _key_targets(node: ast.AST) -> Iterator[str]:
    """The apps that a foreign key names by a string, or a migration in its dependencies."""
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in FOREIGN_KEYS:
            named = [*node.args[:1], *(k.value for k in node.keywords if k.arg in ("to", "through"))]
            yield from (v.value.split(".")[0] for v in named if _is_text(v) and "." in v.value)
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("dependencies", "run_before"):
        for pair in ast.walk(node.value):
            if isinstance(pair, ast.Tuple) and pair.elts and _is_text(pair.elts[0]):
                yield pair.elts[0].value


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def mlcore_is_pure(root: Path) -> list[str]:
    """mlcore sees no web framework; torch is imported only by the networks and by the training loop."""
    systems = {path.parent.name for path in (root / "mlcore").glob("*/config.py")}
    breaches = []
    for name, path, tree in _modules(root):
        parts = name.split(".")
        learns = name in TORCH_MODULES or (parts[0] == "mlcore" and len(parts) > 2 and parts[1] in systems)
        for line, target in _imports(name, path, tree):
            top = target.split(".")[0]
            if parts[0] == "mlcore" and top in FRAMEWORKS:
                breaches.append(f"{path}:{line}: mlcore may not import {top}")
            if top in TORCH and not learns:
                breaches.append(f"{path}:{line}: {top} belongs into a system's folder or mlcore.training")
    return breaches


def services_never_enqueue(root: Path) -> list[str]:
    """Views, commands and tasks enqueue, on commit; services do not enqueue at all."""
    breaches = []
    for name, path, tree in _modules(root):
        in_services = ".services" in name
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or node.attr not in ENQUEUE:
                continue
            if ast.unparse(node.value).startswith("super("):
                # Whoever changes how messages are sent sends none by that.
                continue
            if in_services:
                breaches.append(
                    f"{path}:{node.lineno}: a service may not enqueue (.{node.attr}): its caller does"
                )
            elif node.attr in ("delay", "apply_async"):
                breaches.append(
                    f"{path}:{node.lineno}: .{node.attr} may run before the commit: use {node.attr}_on_commit"
                )
    return breaches


def no_banned_names(root: Path) -> list[str]:
    """What is wrong on other worlds or unsafe in any: Earth's geometry, pickles, raw markup, signals."""
    breaches = []
    for name, path, tree in _modules(root):
        for node in ast.walk(tree):
            for banned, why in _banned(node, name):
                if (path, banned) not in ALLOWED_NAMES:
                    breaches.append(f"{path}:{node.lineno}: {banned}: {why}")
    return breaches


def _banned(node: ast.AST, module: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.ImportFrom | ast.Import):
        yield from _banned_imports(node)
    elif isinstance(node, ast.Call):
        yield from _banned_calls(node)
    elif isinstance(node, ast.Constant) and (node.value == 4326 or "SRID=4326" in str(node.value)):
        yield "4326", "Earth's sphere; features carry SRID 900001"
    elif isinstance(node, ast.FunctionDef) and node.name == "save" and ".models." in module:
        yield "save", "no work in save(): a service does it"


def _banned_imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    origin = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
    for alias in node.names:
        top = (origin or alias.name).split(".")[0]
        if top in FETCHERS or {origin, f"{origin}.{alias.name}".strip("."), alias.name} & FETCHING_MODULES:
            yield top, "asks other servers, perhaps for an address that somebody gave; nothing here needs to"
        if top in PICKLES:
            yield top, "runs what a file says; use JSON or safetensors"
        if origin.startswith("django.contrib.gis") and alias.name in EARTHLY:
            yield alias.name, "assumes Earth or degrees as metres; use mlcore.geodesy and our own map"
        if alias.name == "mark_safe":
            yield "mark_safe", "lets markup through; use format_html"
        if alias.name == "csrf_exempt":
            yield "csrf_exempt", "opens a door to other sites; send the token"
        if origin == "django.dispatch" or origin.endswith(".signals"):
            yield f"{origin}.{alias.name}", "no signals: call the service"


def _banned_calls(node: ast.Call) -> Iterator[tuple[str, str]]:
    function = ast.unparse(node.func)
    keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
    if function == "torch.load" and keywords.get("weights_only") != "True":
        yield "torch.load", "runs what a file says; only with weights_only=True"
    if function in ("eval", "exec"):
        yield function, "runs text as code"
    if keywords.get("shell") == "True":
        yield "shell=True", "lets a file name run commands; give a list of arguments"
    if keywords.get("allow_pickle") == "True":
        yield "allow_pickle", "runs what a file says"
