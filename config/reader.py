"""How the text of a section becomes a component's keyword arguments, or a list of everything that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from .mounts import KeyProblem, Mount, MountReader
from .options import Option, OptionError, options_of
from .origin import BuildSite, Origin
from .problems import Problem, did_you_mean, nearest
from .records import record
from .translation import Merge, Translation
from .values import FileText, is_import, name_of, parse

if TYPE_CHECKING:
    from .parts import Belongings, PartReading, Parts

Texts = Mapping[str, str]


@record
class Reading:
    """What a section's text came to: keyword arguments, mounts, and everything that is wrong.

    ``said`` is the key that has said an option, which may be another spelling or one of another program. ``belongings``
    are further sections that belong to it; what is wrong with them is among the problems.
    """

    values: dict[str, Any]
    mounts: list[Mount]
    problems: list[Problem]
    said: Mapping[str, str] = MappingProxyType({})
    belongings: Belongings | None = None

    @property
    def parts(self) -> Mapping[str, PartReading]:
        """The sections that belong to it, by name."""
        return MappingProxyType({}) if self.belongings is None else self.belongings.parts

    def place_of(self, part: str | None) -> tuple[Place, Reading] | None:
        """The place of a section that belongs to it, and how it was read; None for the section itself."""
        found = None if part is None else self.parts.get(part)
        return None if found is None else (found.place, found.reading)

    @property
    def errors(self) -> list[Problem]:
        """The problems that stop the start."""
        return [problem for problem in self.problems if problem.severity == "error"]


@record
class Family:
    """Keys that share a form and become one keyword of the component: a mapping by key.

    ``takes`` says whether a key belongs to it; all do unless it says otherwise. ``parse`` reads a value, given the
    folder that relative paths are relative to, and raises ``ValueError`` with a phrase. ``key``, ``kind`` and ``doc``
    are what people are told; ``sample`` is a key with its value, ``beside`` others that it needs. ``objects`` are the
    objects of Python that a value names (``module:object``) and the component imports when it is made; none where the
    value is wrong. ``names`` says of which keys: of all unless it says otherwise. ``complaint`` says what is wrong with
    a key that belongs to it.
    """

    name: str
    parse: Callable[[str, str | None], Any]
    key: str
    kind: str
    doc: str
    sample: tuple[str, str]
    takes: Callable[[str], bool] = lambda key: True
    objects: Callable[[str], Iterable[str]] = lambda text: ()
    names: Callable[[str], bool] = lambda key: True
    complaint: Callable[[str], str | None] = lambda key: None
    beside: tuple[tuple[str, str], ...] = ()

    def objects_in(self, texts: Texts) -> Iterator[tuple[str, str]]:
        """The keys of a section whose values name objects of Python, and each object that they name."""
        for key, text in texts.items():
            if self.takes(key) and self.names(key):
                for word in self.objects(text):
                    yield key, word


@record
class Reader:
    """How the text of a section becomes a component's keyword arguments.

    ``names`` maps an old spelling to the option's name, ``ignored`` an old key to why it does nothing now, ``refused``
    one to why the start stops at it, ``translations`` one of another program to what it means here; ``defaults``
    replaces defaults for old names. ``unknown`` is what an unknown key is: old factories swallowed anything; with
    ``extra`` there is no unknown key, because any key means something to the apps. ``advice`` looks at the values that
    were read and names what will surprise the deployer: warnings. ``family`` reads keys that are no options together.
    ``inherited`` maps an option to other keys of ``[DEFAULT]`` that count for it, the first that is not empty. With
    ``parts`` there are sections that belong to this one; the component gets them as ``parts``, by name.
    """

    component: type
    names: Mapping[str, str] = MappingProxyType({})
    ignored: Mapping[str, str] = MappingProxyType({})
    refused: Mapping[str, str] = MappingProxyType({})
    translations: Mapping[str, Translation] = MappingProxyType({})
    defaults: Mapping[str, Any] = MappingProxyType({})
    unknown: Literal["error", "warning"] = "error"
    mounts: MountReader | None = None
    extra: bool = False
    advice: Callable[[Mapping[str, Any]], Iterable[KeyProblem]] | None = None
    family: Family | None = None
    inherited: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    parts: Parts | None = None

    @property
    def options(self) -> tuple[Option, ...]:
        """The options that a section may set."""
        return options_of(self.component)

    def keys(self) -> list[str]:
        """Every key that a section may hold, old spellings and ``_file``/``_env`` forms of secrets included."""
        return [*self.spellings(), *self.translations, *self.ignored, *self.refused]

    def spellings(self) -> dict[str, Option]:
        """The keys that give an option, and the option."""
        by_name = {option.name: option for option in self.options}
        spellings = dict(by_name)
        for option in by_name.values():
            if option.secret:
                spellings[f"{option.name}_file"] = option
                spellings[f"{option.name}_env"] = option
        for old, new in self.names.items():
            spellings[old] = by_name[new]
        return spellings

    def secret_keys(self) -> frozenset[str]:
        """The keys whose text is a secret itself, not where one is to be found."""
        return frozenset(
            key
            for key, option in self.spellings().items()
            if option.secret and (key == option.name or key in self.names)
        )

    def read(
        self, texts: Texts, global_conf: Texts, site: BuildSite | None = None, *, importing: bool = True
    ) -> Reading:
        """Read a section. Nothing is raised: what is wrong stands in ``problems``, with file and line where known.

        With ``importing`` false no code of the deployer runs; ``module:object`` values stay text.
        """
        place = Place(site, global_conf)
        spellings = self.spellings()
        given: dict[str, tuple[str, str]] = {}
        foreign: dict[str, str] = {}
        family: dict[str, str] = {}
        rest: dict[str, str] = {}
        problems: list[Problem] = []
        for key, text in texts.items():
            if key in self.translations:  # first: an option of ours may have their name and another meaning
                foreign[key] = text
            elif key in spellings:
                name = spellings[key].name
                if name in given:
                    other = given[name][0]
                    problems.append(place.problem(key, f"says the same as {other!r}", "keep one of them", code="twice"))
                    continue
                given[name] = (key, text)
            elif key in self.ignored:
                problems.append(
                    place.problem(key, f"does nothing: {self.ignored[key]}", severity="warning", code="ignored-option")
                )
            elif key in self.refused:
                problems.append(place.problem(key, self.refused[key], code="refused-option"))
            elif self.family is not None and self.family.takes(key):
                family[key] = text
            else:
                rest[key] = text
        mounts: list[Mount] = []
        if self.mounts is not None:
            mounts, wrong = self.mounts(rest)
            problems += [
                place.problem(each.key, each.what, each.fix, severity=each.severity, code="mount") for each in wrong
            ]
        elif not self.extra:
            problems += [self._unknown(place, key) for key in rest]
        values: dict[str, Any] = dict(self.defaults)
        if self.family is not None:
            values[self.family.name] = members = {}
            for key, text in family.items():
                complaint = self.family.complaint(key)
                if complaint is not None:
                    problems.append(place.problem(key, f"this key {complaint}", code="wrong-key"))
                    continue
                try:
                    members[key] = self.family.parse(text, place.folder(key))
                except ValueError as error:
                    problems.append(place.problem(key, str(error), value=text, code="wrong-value"))
        for option in self.options:
            self._read_option(option, given, global_conf, place, values, problems, importing)
        said = {name: key for name, (key, _) in given.items()}
        if foreign:
            firm = {name for name, key in said.items() if place.origin(key).how == "command line"}
            problems += self._translate(foreign, Merge(self.options, values, said, firm), place)
        belongings = None
        if self.parts is not None:
            belongings = self.parts.read(self, values, said, place, importing=importing)
            problems += belongings.problems
            values["parts"] = belongings.made
        if self.advice is not None:
            for each in self.advice(values):
                named = said.get(each.key or "", each.key)
                problems.append(place.problem(named, each.what, each.fix, severity="warning", code="advice"))
        return Reading(values, mounts, problems, said, belongings)

    def _read_option(
        self,
        option: Option,
        given: Mapping[str, tuple[str, str]],
        global_conf: Texts,
        place: Place,
        values: dict[str, Any],
        problems: list[Problem],
        importing: bool,
    ) -> None:
        if option.name in given:
            key, text = given[option.name]
        elif (found := self._global_key(option, global_conf)) is not None:
            key, text = found, global_conf[found]
        else:
            if option.required and option.name not in self.defaults:
                problems.append(
                    place.problem(
                        None,
                        f"{option.name!r} is missing ({option.doc.rstrip('.')})",
                        f"add `{option.name} = …` ({name_of(option.kind)})",
                        code="missing-option",
                    )
                )
            return
        # Who takes a value from the environment keeps it out of the file, and so out of what is said about the file.
        shown = None if option.secret or place.origin(key).how == "environment" else text
        try:
            if option.secret and key != option.name and key not in self.names:
                text = _fetch_secret(key, text, place.folder(key))
            if option.parse is not None:
                value = option.parse(text)
            else:
                value = parse(text, option.kind, folder=place.folder(key), importing=importing)
            if isinstance(text, FileText) and isinstance(value, str):
                value = FileText.read(value, text.file)
            # Names of objects that are not imported yet say nothing about the objects.
            complaint = option.complaint(value) if importing or not is_import(option.kind) else None
        except ValueError as error:
            complaint = str(error)
        if complaint is not None:
            problems.append(place.problem(key, complaint, value=shown, code="wrong-value"))
        else:
            values[option.name] = value

    def _global_key(self, option: Option, global_conf: Texts) -> str | None:
        """The key of ``[DEFAULT]`` that counts for an option of which the section says nothing."""
        own = option.name if option.inherits and option.name in global_conf else None
        others = self.inherited.get(option.name, ())
        if others and not (own and global_conf[own].strip()):
            return next((key for key in others if global_conf.get(key, "").strip()), own)
        return own

    def _translate(self, foreign: Mapping[str, str], merge: Merge, place: Place) -> Iterable[Problem]:
        """Let the keys of other programs say what they mean in options of ours."""
        read: dict[str, Any] = {}
        for key, text in foreign.items():
            translation = self.translations[key]
            try:
                value = parse(text, translation.kind, folder=place.folder(key))
                complaint = translation.check(value) if translation.check is not None else None
            except ValueError as error:
                complaint = str(error)
            if complaint is not None:
                yield place.problem(key, complaint, value=text, code="wrong-value")
                continue
            read[key] = value
            wrong = merge.add(key, translation, value)
            if wrong is not None:
                yield place.problem(key, wrong.what, wrong.fix, value=text, code="contradiction")
            remark = translation.remark(value)
            if remark is not None:
                yield place.problem(key, remark, severity="warning", code="translated-option")
        for key, value in read.items():
            merge.suppose(self.translations[key], value)

    def _unknown(self, place: Place, key: str) -> Problem:
        known = self.keys()
        hint = did_you_mean(key, known)
        if not known:
            hint = "remove it: this takes no options"
        elif nearest(key, known) is None and self.unknown == "warning":
            hint = "it has no effect"
        elif nearest(key, known) is None and self.parts is not None and (home := self.parts.home_of(key, self)):
            hint = f"write it into [{home}]"
        elif nearest(key, known) is None and self.family is not None:
            hint += f", and {self.family.key}"
        return place.problem(key, "no such option", hint, severity=self.unknown, code="unknown-option")


@record
class Place:
    """Finds file and line of a section's keys, and makes problems that name them."""

    site: BuildSite | None
    global_conf: Texts

    def origin(self, key: str | None) -> Origin:
        """Where a key stands, or failing that, its section or file."""
        if self.site is None:
            file = self.global_conf.get("__file__")
            return Origin(file=file) if file else Origin(how="code")
        if key is not None:
            found = self.site.origins.get(key) or self.site.inherited.get(key)
            if found is not None:
                return found
        return self.site.origin

    def folder(self, key: str) -> str | None:
        """What relative paths in the value of a key are relative to."""
        file = self.origin(key).file
        return os.path.dirname(file) if file else self.global_conf.get("here")

    def refusal(self, error: OptionError, said: Mapping[str, str]) -> Problem:
        """What a component says of its options when it is made; ``said`` are the keys that gave them."""
        return self.problem(said.get(error.option or "", error.option), error.what, code="wrong-value")

    def problem(
        self,
        key: str | None,
        what: str,
        fix: str = "",
        *,
        value: str | None = None,
        severity: Literal["error", "warning"] = "error",
        code: str,
    ) -> Problem:
        """A problem of a key, or with None of the section, at its place."""
        origin = self.origin(key)
        section = origin.section or (self.site.origin.section if self.site else None)
        return Problem(
            what=what,
            fix=fix,
            file=origin.file,
            line=origin.line,
            section=section,
            key=key,
            value=value,
            severity=severity,
            code=code,
        )


def _fetch_secret(key: str, text: str, folder: str | None) -> str:
    """The secret that ``X_file`` or ``X_env`` points to. Raises ``ValueError`` without naming the secret."""
    if key.endswith("_env"):
        value = os.environ.get(text.strip())
        if not value:
            raise ValueError(f"the environment variable {text.strip()!r} is not set")
        return value
    path = Path(folder or "") / Path(text.strip()).expanduser()
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error
    if not value:
        raise ValueError(f"{path} is empty")
    return FileText.read(value, path)
