"""The rules of the house for what runs in the browser: ES modules and templates. See rules.py."""

import re
from collections.abc import Iterator
from pathlib import Path

# A module may import from these folders of static/js.
FOLDERS = {
    "lib": {"lib"},
    "geo": {"geo"},
    "map": {"map", "geo", "lib"},
    "draw": {"draw", "map", "geo", "lib"},
    "pages": {"pages", "draw", "map", "geo", "lib"},
}
LEAFLET_FOLDERS = {"map", "draw"}
# Libraries of the import map, and the folder that may import them.
LIBRARIES = {"idb": "lib"}

COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*", re.DOTALL)
TEXT = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
IMPORT = re.compile(
    r"^[ \t]*(?:import|(?:import|export)\b[^;\"'()=]*?\bfrom)\s*[\"'](?P<name>[^\"'\n]+)[\"'](?P<end>[^\n]*)",
    re.MULTILINE,
)
LEAFLET = re.compile(r"(?<![\w.$])L\.\w|\b(?:window|globalThis)\.L\b|[\"']leaflet[\"']")
IMPURE = re.compile(r"(?<![\w.$])(?:document|window|fetch|localStorage|navigator)\b")
BANNED_JS = {
    r"\bL\.circle\(|\bL\.Circle\b": "L.circle is an Earth circle: draw tektite/geo/ring",
    r"\.distanceTo\(|\bmap\.distance\(": "Leaflet measures on Earth: use tektite/geo/sphere",
    r"\bL\.control\.scale\b": "Leaflet's scale is Earth's: use our own",
    r"(?<![\w.$])eval\(|\bnew Function\(": "runs text as code, and the CSP forbids it",
    r"\.(?:inner|outer)HTML\s*\+?=|insertAdjacentHTML|document\.write": "lets markup through: build elements",
}
ASKS_ANEW = re.compile(r"\shx-\w+=")
INCLUDES = re.compile(r"{%\s*include\s+\"([^\"]+)\"")
EXTENDS = re.compile(r"{%\s*extends\s+\"([^\"]+)\"")
WRITTEN_PATH = re.compile(
    r"[\"'`]/(?:api|accounts|admin|basemaps|campaigns|catalogues|map-tiles|runs|model-versions)\b"
)
BANNED_HTML = {
    r"\sstyle\s*=": "no inline styles: give it a class (the CSP forbids them)",
    r"<style\b": "no inline styles: put them into static/css",
    r"<script\b(?![^>]*(?:\bsrc=|type=\"importmap\"))": "no inline scripts: put it into static/js/pages",
    r"\son[a-z]+\s*=\s*[\"']": "no inline handlers: listen in static/js",
    r"\|\s*safe\b|\{%\s*autoescape\s+off": "lets markup through",
    r"(?:href|src|action|hx-get|hx-post)=\"/(?!/)\w": "no written paths: {% url %} or {% static %}",
}


def _without_comments(text: str) -> str:
    """The same text with comments blanked; lines stay where they are."""
    return COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _scripts(root: Path) -> Iterator[tuple[str, str, str]]:
    """(folder, path relative to root, text without comments) of every module of static/js."""
    for path in sorted((root / "static/js").rglob("*.js")):
        relative = path.relative_to(root)
        yield relative.parts[2], relative.as_posix(), _without_comments(path.read_text())


def modules_run_one_way(root: Path) -> list[str]:
    """pages ▶ draw ▶ map ▶ geo · lib, by names such as tektite/geo/ring; each import ends in a semicolon."""
    breaches = []
    for folder, path, text in _scripts(root):
        if folder not in FOLDERS:
            breaches.append(f"{path}:1: modules live in one of {', '.join(FOLDERS)}")
            continue
        for match in IMPORT.finditer(text):
            where = f"{path}:{_line(text, match.start('name'))}"
            parts = match["name"].split("/")
            if not match["end"].startswith(";"):
                breaches.append(
                    f"{where}: an import line ends in a semicolon, or its hashed name is not found"
                )
            if parts[0] == "tektite" and parts[1] in FOLDERS:
                if parts[1] not in FOLDERS[folder]:
                    breaches.append(f"{where}: {folder} may not import {parts[1]} ({match['name']})")
                elif not (root / "static/js" / f"{'/'.join(parts[1:])}.js").is_file():
                    breaches.append(f"{where}: there is no module {match['name']}")
            elif LIBRARIES.get(match["name"]) != folder:
                breaches.append(f"{where}: import by bare name, tektite/<folder>/<file>, not {match['name']}")
    return breaches


def leaflet_stays_in_its_rooms(root: Path) -> list[str]:
    """Only map/ and draw/ touch Leaflet; geo/ touches nothing outside itself, so that node can test it."""
    breaches = []
    for folder, path, text in _scripts(root):
        if folder not in LEAFLET_FOLDERS:
            for match in LEAFLET.finditer(text):
                breaches.append(f"{path}:{_line(text, match.start())}: only map/ and draw/ touch Leaflet")
        if folder == "geo":
            code = TEXT.sub('""', text)
            for match in IMPURE.finditer(code):
                breaches.append(f"{path}:{_line(code, match.start())}: geo/ is pure, and {match[0]} is not")
    return breaches


def no_banned_scripts(root: Path) -> list[str]:
    """No Earth geometry, no code from text, no markup from text, no path written down."""
    breaches = []
    for _, path, text in _scripts(root):
        for pattern, why in BANNED_JS.items():
            for match in re.finditer(pattern, text):
                breaches.append(f"{path}:{_line(text, match.start())}: {why}")
        for match in WRITTEN_PATH.finditer(text):
            breaches.append(
                f"{path}:{_line(text, match.start())}: no written paths: the server gives URL templates"
            )
    return breaches


def templates_are_strict(root: Path) -> list[str]:
    """Nothing inline that the CSP would block, nothing unescaped, no written paths."""
    breaches = []
    for path in sorted((root / "templates").rglob("*.html")):
        text = path.read_text()
        for pattern, why in BANNED_HTML.items():
            for match in re.finditer(pattern, text):
                breaches.append(f"{path.relative_to(root).as_posix()}:{_line(text, match.start())}: {why}")
    return breaches


def pages_that_ask_anew_load_htmx(root: Path) -> list[str]:
    """A page with a part that htmx asks for anew loads it: else the part stands still, without a word."""
    folder = root / "templates"
    texts = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.html")}
    breaches = []
    for name, text in sorted(texts.items()):
        if not EXTENDS.search(text) or _loads_htmx(texts, name):
            continue
        asking = [match for match in INCLUDES.finditer(text) if _asks_anew(texts, match[1])]
        for match in [*ASKS_ANEW.finditer(text), *asking]:
            line = _line(text, match.start() + 1)
            breaches.append(f"templates/{name}:{line}: this needs htmx, and the page does not load it")
    return breaches


def _asks_anew(texts: dict[str, str], name: str) -> bool:
    text = texts.get(name, "")
    return bool(ASKS_ANEW.search(text)) or any(_asks_anew(texts, other) for other in INCLUDES.findall(text))


def _loads_htmx(texts: dict[str, str], name: str) -> bool:
    text = texts.get(name, "")
    return "htmx.min.js" in text or any(_loads_htmx(texts, parent) for parent in EXTENDS.findall(text))
