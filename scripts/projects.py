"""Projects of Django and Pyramid, recognised by the files that their frameworks want."""

from __future__ import annotations

import ast
from pathlib import Path

from ..config.sources import Sources
from .applications import Application, bindings, calls, mount, parsed, paste_factory, uses_pyramid

_SKIPPED = frozenset({"tests", "docs", "build", "dist"})


def django_project(folder: Path) -> list[Application]:
    """The project whose ``manage.py`` stands in the folder, or in ``src`` below it."""
    for root in (folder, folder / "src"):
        manage = root / "manage.py"
        tree = parsed(manage) if manage.is_file() else None
        if tree is None:
            continue
        settings = next(
            (
                call.args[1].value
                for call in calls(tree)
                if len(call.args) == 2
                and isinstance(call.args[0], ast.Constant)
                and call.args[0].value == "DJANGO_SETTINGS_MODULE"
                and isinstance(call.args[1], ast.Constant)
                and isinstance(call.args[1].value, str)
            ),
            None,
        )
        if settings is None:
            continue
        found = _wsgi_application(settings, root)
        if found is not None:
            module, _, name = found.rpartition(".")
            return [mount("Django", module, name, root, f"manage.py and {settings}")]
    return []


def _wsgi_application(settings: str, root: Path) -> str | None:
    """``WSGI_APPLICATION`` of Django's settings, which may be spread over a package; else the project's wsgi module."""
    sources = Sources([str(root)])
    found = sources.file_of(settings)
    files = [] if found is None else [Path(found)]
    if found is not None and "." in settings:
        files += sorted(Path(found).parent.glob("*.py"))
    for path in files:
        tree = parsed(path)
        value = bindings(tree).get("WSGI_APPLICATION") if tree is not None else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    package = settings.partition(".")[0]
    return f"{package}.wsgi.application" if sources.file_of(f"{package}.wsgi") else None


def pyramid_project(folder: Path) -> list[Application]:
    """A project with ``main(global_config, **settings)``: by its own INI file, else by that function."""
    packages = [place for root in (folder, folder / "src") if root.is_dir() for place in sorted(root.iterdir())]
    for package in packages:
        tree = parsed(package / "__init__.py") if (package / "__init__.py").is_file() else None
        if tree is None or package.name in _SKIPPED or not uses_pyramid(tree):
            continue
        main = bindings(tree).get("main")
        if not isinstance(main, ast.FunctionDef) or main.args.kwarg is None:
            continue
        clue = f"{package.name}/__init__.py, line {main.lineno}"
        for name in ("development.ini", "production.ini"):
            own = folder / name
            if own.is_file() and (section := _own_section(own)) is not None:
                return [_as_its_own_file(own, section, package, clue)]
        return [paste_factory(main, "Pyramid", package.name, "main", package.parent, clue, [])]
    return []


def _own_section(path: Path) -> dict[str, str] | None:
    from ..config.ini import read_path

    section = read_path(str(path)).sections.get("app:main")
    return None if section is None else {key: option.text for key, option in section.options.items()}


def _as_its_own_file(path: Path, section: dict[str, str], package: Path, clue: str) -> Application:
    from ..config.references import find_distribution

    use = section.get("use", "")
    scheme, _, rest = use.partition(":")
    distribution = rest.partition("#")[0].strip()
    name = f"{package.name}:main"
    if scheme == "egg" and find_distribution(distribution) is None:
        # The project itself is not installed, so its file cannot be referred to; its settings can be taken over.
        kept = [(key, text) for key, text in section.items() if key != "use" and "\n" not in text]
        settings = (("paste.app_factory", name), *kept)
        note = f"The settings are those of {path.name}, whose own reference ({use}) is not installed here."
        return Application("Pyramid", name, settings, package.parent, f"{path.name} and {clue}", (note,))
    note = f"The application as {path.name} has it, with its settings."
    settings = (("use", f"config:{path.name}"),)
    return Application("Pyramid", name, settings, path.parent, f"{path.name}", (note,))
