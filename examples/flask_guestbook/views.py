"""The pages of the guestbook."""

import hashlib
from datetime import date, datetime

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from .almanac import as_csv, days
from .entries import Entries

NAME_LIMIT = 60
MESSAGE_LIMIT = 500
SHOWN = 40
TEN_YEARS = 3653
BERLIN = 52.5

pages = Blueprint("pages", __name__)


def entries() -> Entries:
    kept: Entries = current_app.extensions["entries"]
    return kept


@pages.get("/")
def book() -> ResponseReturnValue:
    return render_template(
        "book.html",
        entries=entries().latest(SHOWN),
        count=entries().count(),
        name=session.get("name", ""),
        name_limit=NAME_LIMIT,
        message_limit=MESSAGE_LIMIT,
    )


@pages.post("/sign")
def sign() -> ResponseReturnValue:
    name = request.form.get("name", "").strip()[:NAME_LIMIT]
    message = request.form.get("message", "").strip()[:MESSAGE_LIMIT]
    if name and message:
        entries().add(name, message)
        session["name"] = name
        flash(f"Thank you, {name}. Your line is on the page.")
    else:
        flash("A name and a message, please: the page stays empty otherwise.")
    return redirect(url_for(".book"), code=303)


@pages.route("/scale", methods=["GET", "POST"])
def scale() -> ResponseReturnValue:
    parcels = [weigh(file) for file in request.files.getlist("parcel") if file.filename]
    if request.method == "POST" and not parcels:
        flash("The scale is empty: choose a file first.")
    return render_template("scale.html", parcels=parcels, limit=current_app.config["MAX_CONTENT_LENGTH"])


def weigh(file: FileStorage) -> dict[str, object]:
    """Size and digest of an uploaded file. It is read once and not kept."""
    digest = hashlib.sha256()
    size = 0
    while piece := file.stream.read(65536):
        digest.update(piece)
        size += len(piece)
    return {"name": file.filename, "type": file.content_type, "size": size, "sha256": digest.hexdigest()}


@pages.get("/almanac")
def almanac() -> ResponseReturnValue:
    return render_template("almanac.html", days=list(days(date.today(), 30, BERLIN)), total=TEN_YEARS)


@pages.get("/almanac.csv")
def almanac_csv() -> ResponseReturnValue:
    table = days(date(date.today().year, 1, 1), TEN_YEARS, BERLIN)
    headers = {"Content-Disposition": "attachment; filename=almanac.csv"}
    return Response(as_csv(table), mimetype="text/csv", headers=headers)


@pages.get("/smudge")
def smudge() -> ResponseReturnValue:
    """Fails on purpose: the ink of this line was still wet."""
    signed = read_day("26 Novmber 1826")
    return redirect(url_for(".book", since=signed.year))


class Smudged(ValueError):
    """A line that nobody can read."""


def read_day(written: str) -> datetime:
    try:
        return datetime.strptime(written, "%d %B %Y")
    except ValueError as error:
        raise Smudged(f"nobody can read the day of this line: {written}") from error


@pages.app_errorhandler(404)
def not_found(_error: Exception) -> ResponseReturnValue:
    return render_template("sorry.html", what="There is no such page in this book."), 404


@pages.app_errorhandler(413)
def too_large(_error: Exception) -> ResponseReturnValue:
    return render_template("sorry.html", what="That parcel is too heavy for this scale."), 413


@pages.app_template_filter("size")
def readable_size(number: int) -> str:
    if number < 1024:
        return f"{number} bytes"
    if number < 1024 * 1024:
        return f"{number / 1024:.4g} kB"
    return f"{number / 1024 / 1024:.4g} MB"
