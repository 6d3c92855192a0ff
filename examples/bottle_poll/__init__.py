"""A poll with one vote for each browser, written with Bottle.

Who has voted is known by a signed cookie; the votes stand in a file, one line for each.
"""

import os
import secrets
import threading
from collections import Counter
from pathlib import Path

import bottle

HERE = Path(__file__).parent
COOKIE = "poll"


def make_app(global_conf: dict[str, str], question: str, answers: str) -> bottle.Bottle:
    """A paste.deploy app factory. ``answers`` stand one on a line; ``state`` is a folder to write to."""
    state = Path(global_conf["state"]) / "poll"
    state.mkdir(parents=True, exist_ok=True)
    choices = [line.strip() for line in answers.splitlines() if line.strip()]
    box = BallotBox(state / "votes.txt", choices)
    # Signing keys live as long as the process: after a restart everybody may vote again.
    return Poll(question, box, secrets.token_urlsafe(32)).app


class BallotBox:
    def __init__(self, file: Path, choices: list[str]) -> None:
        self.file = file
        self.choices = choices
        self.adding = threading.Lock()
        file.touch()

    def add(self, choice: str) -> None:
        with self.adding, self.file.open("a", encoding="utf-8") as file:
            file.write(choice + os.linesep)

    def count(self) -> Counter[str]:
        votes = Counter(self.file.read_text(encoding="utf-8").splitlines())
        return Counter({choice: votes[choice] for choice in self.choices})


class Poll:
    def __init__(self, question: str, box: BallotBox, key: str) -> None:
        self.question = question
        self.box = box
        self.key = key
        # Whoever serves this app catches what it raises, and shows and reports it.
        self.app = app = bottle.Bottle(catchall=False)
        app.route("/", name="ask", callback=self.ask)
        app.route("/vote", method="POST", name="vote", callback=self.vote)
        app.route("/result", name="result", callback=self.result)
        app.route("/result.json", name="json", callback=self.result_json)
        app.route("/recount", name="recount", callback=self.recount)
        app.route("/again", method="POST", name="again", callback=self.again)
        app.route("/static/<name:path>", name="static", callback=self.static)
        app.error(404)(self.missing)

    def ask(self) -> str:
        if self.mine():
            self.go("result")
        return self.page("ask.html", answers=self.box.choices)

    def vote(self) -> None:
        choice = bottle.request.forms.getunicode("answer", "")
        if choice not in self.box.choices:
            self.go("ask")
        if not self.mine():
            self.box.add(choice)
            path = self.app.get_url("ask")
            bottle.response.set_cookie(COOKIE, choice, secret=self.key, path=path, httponly=True, samesite="lax")
        self.go("result")

    def result(self) -> str:
        votes = self.box.count()
        return self.page("result.html", votes=votes, total=votes.total(), mine=self.mine())

    def result_json(self) -> dict[str, object]:
        return {"question": self.question, "votes": dict(self.box.count())}

    def recount(self) -> dict[str, object]:
        """Fails on purpose: of an empty box nobody can say who leads."""
        votes: Counter[str] = Counter()
        leader = votes.most_common(1)[0]
        return {"leads": leader[0]}

    def again(self) -> None:
        bottle.response.delete_cookie(COOKIE, path=self.app.get_url("ask"))
        self.go("ask")

    def static(self, name: str) -> bottle.HTTPResponse:
        return bottle.static_file(name, root=HERE / "static")

    def missing(self, error: bottle.HTTPError) -> str:
        return self.page("missing.html")

    def mine(self) -> str | None:
        return bottle.request.get_cookie(COOKIE, secret=self.key)

    def go(self, route: str) -> None:
        bottle.redirect(self.app.get_url(route), 303)

    def page(self, template: str, **values: object) -> str:
        mount = bottle.request.script_name.rstrip("/") or "/"
        return bottle.template(
            template,
            template_lookup=[str(HERE / "views")],
            question=self.question,
            url=self.app.get_url,
            mount=mount,
            **values,
        )
