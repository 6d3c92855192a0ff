"""Template frames: the line of the template, not the code that was generated from it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import chameleon
import jinja2
import mako.lookup as mako_lookup
import mako.template as mako_template
import pytest
from failing_code import Project, failure_of, marked, texts_of

from wheatpaste.middleware.errors.collect import templates
from wheatpaste.middleware.errors.collect.capture import collect
from wheatpaste.middleware.errors.collect.templates import Place
from wheatpaste.middleware.errors.record import ErrorRecord, Frame


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def template_frames(record: ErrorRecord) -> list[Frame]:
    return [frame for frame in record.raised.frames if frame.language not in ("python", "syntax")]


def line_of(frame: Frame) -> str:
    return next(line.text for line in frame.lines if line.number == frame.line)


MAKO = {
    "base.mako": "<html>\n${self.body()}\n</html>\n",
    "page.mako": "<%inherit file='base.mako'/>\n<p>\n<%include file='part.mako'/>\n</p>\n",
    "part.mako": "<%def name='total(order)'>\n  ${order['total'] + 1}\n</%def>\n\n${total({})}\n",
}


@pytest.mark.parametrize("modules", [False, True], ids=["in memory", "with modules on disk"])
def test_row_09_mako_frames_are_those_of_the_templates(project: Project, modules: bool) -> None:
    for name, text in MAKO.items():
        project.write(text, f"templates/{name}")
    options = {"module_directory": str(project.folder / "modules")} if modules else {}
    lookup = mako_lookup.TemplateLookup([str(project.folder / "templates")], **options)
    record = project.collect(failure_of(lookup.get_template("page.mako").render))
    frames = [frame for frame in template_frames(record) if not frame.hidden]
    assert [(frame.language, frame.file, frame.line, frame.function) for frame in frames] == [
        ("mako", "templates/base.mako", 2, ""),
        ("mako", "templates/page.mako", 3, ""),
        ("mako", "templates/part.mako", 5, ""),
        ("mako", "templates/part.mako", 2, "total"),
    ]
    assert all(frame.own for frame in frames)
    assert line_of(frames[-1]) == "  ${order['total'] + 1}"
    assert record.focus == frames[-1]


def test_row_09_mako_frames_show_the_templates_variables(project: Project) -> None:
    template = mako_template.Template("\n${1 / zero}${other}")
    frame = template_frames(project.collect(failure_of(lambda: template.render(zero=0))))[0]
    assert (frame.line, line_of(frame)) == (2, "${1 / zero}${other}")
    assert texts_of(frame.variables) == {"zero": "0"}


def test_row_09_a_syntax_error_in_mako_has_its_place(project: Project) -> None:
    path = project.write("a\nb ${1 +\n", "broken.mako")
    record = project.collect(failure_of(lambda: mako_template.Template(filename=str(path))))
    focus = record.focus
    assert focus is not None
    assert (focus.language, focus.file, focus.line, line_of(focus)) == ("mako", "broken.mako", 2, "b ${1 +")


def jinja(project: Project) -> Any:
    return jinja2.Environment(loader=jinja2.FileSystemLoader(str(project.folder)))


def test_row_09_jinja_frames_are_those_of_the_templates(project: Project) -> None:
    project.write("<html>\n{% block main %}{% endblock %}\n</html>\n", "base.html")
    project.write("{% extends 'base.html' %}\n{% block main %}\n{{ order.total() }}\n{% endblock %}\n", "page.html")

    class Order:
        def total(self) -> int:
            return 1 // 0

    template = jinja(project).get_template("page.html")
    record = project.collect(failure_of(lambda: template.render(order=Order(), password="swordfish1")))
    frames = template_frames(record)
    assert [(frame.language, frame.file, frame.line, frame.function) for frame in frames] == [
        ("jinja2", "page.html", 1, ""),
        ("jinja2", "base.html", 2, ""),
        ("jinja2", "page.html", 3, "main"),
    ]
    assert line_of(frames[-1]) == "{{ order.total() }}"
    variables = texts_of(frames[-1].variables)
    assert list(variables)[0] == "order"
    assert "range" not in variables
    assert "swordfish1" not in repr(record)


def test_row_09_a_syntax_error_in_jinja_has_its_place(project: Project) -> None:
    project.write("a\n{% if %}\n", "broken.html")
    record = project.collect(failure_of(lambda: jinja(project).get_template("broken.html")))
    focus = record.focus
    assert focus is not None
    assert (focus.language, focus.file, focus.line, line_of(focus)) == ("jinja2", "broken.html", 2, "{% if %}")
    assert len(template_frames(record)) == 1


def test_row_09_a_syntax_error_in_a_jinja_template_without_a_file_has_its_line(project: Project) -> None:
    environment = jinja2.Environment(loader=jinja2.DictLoader({"broken.html": "a\n{% if %}\n"}))
    focus = project.collect(failure_of(environment.get_template, "broken.html")).focus
    assert focus is not None
    assert (focus.file, focus.line, line_of(focus)) == ("broken.html", 2, "{% if %}")


def test_row_09_jinja_code_that_still_runs_is_the_templates_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "jinja2.debug", raising=False)  # as before the first error of any template
    from wheatpaste.middleware.errors.collect.capture import collect_frame

    project.write("a\n{{ look() }}\n", "page.html")
    seen: list[ErrorRecord] = []
    template = jinja(project).get_template("page.html")
    template.render(look=lambda: seen.append(collect_frame(sys._getframe())))
    frames = [frame for frame in seen[0].raised.frames if frame.language == "jinja2"]
    assert [(Path(frame.path).name, frame.line) for frame in frames] == [("page.html", 2)]
    assert line_of(frames[0]) == "{{ look() }}"


PAGE = """\
<html xmlns:metal="http://xml.zope.org/namespaces/metal">
  <p tal:repeat="order orders">
    ${order['total']}
  </p>
</html>
"""


def test_row_09_chameleon_frames_are_those_of_the_templates(project: Project) -> None:
    path = project.write(PAGE, "page.pt")
    template = chameleon.PageTemplateFile(str(path))
    record = project.collect(failure_of(lambda: template.render(orders=[{}], token="swordfish1swordfish1")))
    frame = template_frames(record)[-1]
    assert (frame.language, frame.file, frame.line, frame.own) == ("chameleon", "page.pt", 3, True)
    assert marked(frame) == "order['total']"
    assert texts_of(frame.variables)["order"] == "{}"
    assert (record.raised.name, record.raised.message) == ("KeyError", "'total'")
    assert record.focus == frame
    assert "swordfish1swordfish1" not in repr(record)


def test_row_09_chameleon_templates_without_a_file_show_the_expression(project: Project) -> None:
    template = chameleon.PageTemplate("<p>\n  ${1 / zero}</p>")
    frame = template_frames(project.collect(failure_of(lambda: template.render(zero=0))))[-1]
    assert (frame.line, marked(frame)) == (2, "1 / zero")


def test_row_09_a_syntax_error_in_chameleon_has_its_place(project: Project) -> None:
    path = project.write("<p>\n  ${1 +}</p>", "broken.pt")
    focus = project.collect(failure_of(lambda: chameleon.PageTemplateFile(str(path)).cook_check())).focus
    assert focus is not None
    assert (focus.language, focus.file, focus.line, marked(focus)) == ("chameleon", "broken.pt", 2, "1 +")


DJANGO = """
import sys
from pathlib import Path
import django
from django.conf import settings
from wheatpaste.middleware.errors.collect.capture import collect
from wheatpaste.middleware.errors.collect.settings import Collecting
folder = Path(sys.argv[1])
settings.configure(TEMPLATES=[{
    "BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [folder], "OPTIONS": {"debug": True},
}])
django.setup()
from django.template import engines
from django.template.loader import get_template

def total():
    return 1 // 0

for call in (
    lambda: get_template("page.html").render({"total": total}),
    lambda: get_template("broken.html"),
    lambda: engines["django"].from_string("<p>&\\n{% nonsense %}</p>").render({}),
):
    try:
        call()
    except Exception as error:
        record = collect(error, settings=Collecting(project=(str(folder),)))
    for frame in record.raised.frames:
        if frame.language == "django":
            text = next(line.text for line in frame.lines if line.number == frame.line)
            focus = record.focus is frame
            span = text[frame.span.column:frame.span.end_column]
            print(frame.file, frame.line, text, span, record.raised.frames[-1].function, focus, sep=" | ")
"""


@pytest.mark.slow
def test_row_09_django_templates_have_their_place(project: Project) -> None:
    """In a process of its own, because Django's settings are global."""
    import subprocess
    import sys

    project.write("<p>\n  {{ total }}\n</p>\n", "page.html")
    project.write("<p>\n{% if %}</p>\n", "broken.html")
    done = subprocess.run(
        [sys.executable, "-c", DJANGO, str(project.folder)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == [
        "page.html | 2 |   {{ total }} | {{ total }} | total | False",
        "broken.html | 2 | {% if %}</p> | {% if %} |  | True",
        "<unknown source> | 2 | {% nonsense %}</p> | {% nonsense %} |  | True",
    ]


@pytest.fixture
def own_language(monkeypatch: pytest.MonkeyPatch) -> None:
    def finder(steps: Any, index: int) -> Place | None:
        frame = steps[index].frame
        if frame.f_code.co_name != "rendered":
            return None
        return Place(language="ours", path="made.tpl", line=2, text="one\ntwo\n", variables={"x": 1})

    monkeypatch.setattr(templates, "finders", [finder, *templates.finders])


@pytest.mark.usefixtures("own_language")
def test_d14_other_languages_can_be_added(project: Project) -> None:
    frame = project.frame("def rendered():\n    1 / 0\nrendered()\n")
    assert (frame.language, frame.file, line_of(frame), texts_of(frame.variables)) == (
        "ours",
        "made.tpl",
        "two",
        {"x": "1"},
    )


def test_d14_a_finder_that_fails_leaves_python(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def finder(steps: Any, index: int) -> Place | None:
        raise RuntimeError("another version")

    monkeypatch.setattr(templates, "finders", [finder])
    monkeypatch.setattr(templates, "readers", [finder])
    assert project.frame("1 / 0\n").language == "python"


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"template_debug": 7}, id="no dict"),
        pytest.param({"template_debug": {"top": "x"}}, id="another dict"),
    ],
)
def test_d14_attributes_with_the_names_of_djangos_are_no_place(attributes: dict[str, Any]) -> None:
    error = ValueError("a")
    vars(error).update(attributes)
    assert collect(error).raised.frames == ()


def test_d14_code_that_looks_like_a_template_but_is_none_stays_python(project: Project) -> None:
    code = textwrap.dedent(
        """
        _magic_number = 10
        __jinja_template__ = __tokens = 7
        def f():
            __token = 3
            1 / 0
        f()
        """
    )
    assert project.frame(code).language == "python"
