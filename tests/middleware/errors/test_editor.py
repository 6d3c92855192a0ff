"""Links that open a file in somebody's editor."""

from __future__ import annotations

import pytest

from wheatpaste.middleware.errors.render.editor import PRESETS, editor_complaint, editor_of, path_complaint

PATH = "/srv/shop/a b/ä#?.py"
QUOTED = "srv/shop/a%20b/%C3%A4%23%3F.py"


@pytest.mark.parametrize(
    ("editor", "link"),
    [
        ("vscode", f"vscode://file/{QUOTED}:12:5"),
        ("vscodium", f"vscodium://file/{QUOTED}:12:5"),
        ("cursor", f"cursor://file/{QUOTED}:12:5"),
        ("zed", f"zed://file/{QUOTED}:12:5"),
        ("pycharm", f"pycharm://open?file=/{QUOTED}&line=12&column=5"),
        ("idea", f"idea://open?file=/{QUOTED}&line=12&column=5"),
        ("sublime", f"subl://open?url=file:///{QUOTED}&line=12&column=5"),
        ("textmate", f"txmt://open?url=file:///{QUOTED}&line=12&column=5"),
        ("emacs", f"emacs://open?url=file:///{QUOTED}&line=12&column=5"),
        ("vim", f"mvim://open?url=file:///{QUOTED}&line=12&column=5"),
        ("nova", f"nova://open?path=/{QUOTED}&line=12&column=5"),
        ("VSCode", f"vscode://file/{QUOTED}:12:5"),
        ("my-editor://{file}#{line}", f"my-editor:///{QUOTED}#12"),
        ("x:{column},{line},{file}", f"x:5,12,/{QUOTED}"),
    ],
)
def test_row_33_an_editor_opens_the_place(editor: str, link: str):
    assert editor_complaint(editor) is None
    assert editor_of(editor).link(PATH, 12, 5) == link


@pytest.mark.parametrize("name", PRESETS)
def test_row_33_every_preset_takes_file_and_line(name: str):
    link = editor_of(name).link("/srv/shop/views.py", 123, 7)
    assert link is not None
    assert "srv/shop/views.py" in link
    assert "123" in link
    assert "{" not in link


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("C:\\shop\\views.py", "vscode://file/C:/shop/views.py:1:1"),
        ("\\\\server\\share\\x.py", "vscode://file//server/share/x.py:1:1"),
        ("<string>", None),
        ("<frozen importlib._bootstrap>", None),
        ("views.py", None),
        ("", None),
        ("memory:page", None),
    ],
)
def test_only_files_on_a_disk_can_be_opened(path: str, link: str | None):
    assert editor_of("vscode").link(path) == link


@pytest.mark.parametrize("line", [0, -3])
def test_lines_begin_with_one(line: int):
    assert editor_of("vscode").link("/x.py", line, line) == "vscode://file/x.py:1:1"


def test_a_path_cannot_add_to_the_address():
    link = editor_of("pycharm").link('/x"&line=1 #<script>{line}.py', 3)
    assert link == "pycharm://open?file=/x%22%26line%3D1%20%23%3Cscript%3E%7Bline%7D.py&line=3&column=1"


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/app/shop/views.py", "/code/shop/shop/views.py"),
        ("/app/lib/x.py", "/code/lib/x.py"),
        ("/apple/x.py", "/apple/x.py"),
        ("/other/x.py", "/other/x.py"),
        ("/", "/"),
    ],
)
def test_folders_of_a_container_are_those_of_the_editor(path: str, there: str):
    editor = editor_of("x:{file}", ["/app=/code/shop", "/app/lib=/code/lib/"])
    assert editor.link(path) == f"x:{there}"


def test_a_container_can_belong_to_a_windows_machine():
    assert editor_of("vscode", ["/app=C:\\shop"]).link("/app/x.py", 2) == "vscode://file/C:/shop/x.py:2:1"


@pytest.mark.parametrize(
    ("editor", "words"),
    [
        ("ed", "is no editor that is known"),
        ("ed://{line}", "needs {file}"),
        ("javascript:alert('{file}')", "must open an editor"),
        ("JavaScript:{file}", "must open an editor"),
        ("data:text/html,{file}", "must open an editor"),
        ("ed://{file}:{row}", "but not {row}"),
    ],
)
def test_an_editor_that_cannot_work_is_told(editor: str, words: str):
    complaint = editor_complaint(editor)
    assert complaint is not None
    assert words in complaint
    with pytest.raises(ValueError, match="."):
        editor_of(editor)


def test_no_editor_is_fine():
    assert editor_complaint(None) is None


@pytest.mark.parametrize("word", ["/app", "/app=", "=/home", "=", ""])
def test_a_folder_needs_both_of_its_names(word: str):
    assert "here=there" in (path_complaint(word) or "")
    with pytest.raises(ValueError, match="here=there"):
        editor_of("vscode", [word])


def test_a_folder_with_both_names_is_fine():
    assert path_complaint("/app=/code/a=b") is None
