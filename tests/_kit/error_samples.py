"""Records of failures made by hand, for whoever renders, keeps or reports them: no app has to fail for it.

``SAMPLES`` holds all of them by name, as functions that make one. Times and ids are fixed. ``poisoned`` puts a text
into every place of a record that can hold one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from wheatpaste.middleware.errors.record import (
    ErrorRecord,
    Fold,
    Frame,
    Line,
    Pairs,
    Raised,
    Request,
    Shown,
    Span,
    Step,
    Supplement,
)

TIME = 1795661000.25  # 2026-11-26 02:43:20 UTC

CHECKOUT = '''\
"""Turn a basket into an order."""

from decimal import Decimal

from shop.baskets import Basket
from shop.prices import price_of


class Checkout:
    """One visitor's way from a basket to an order."""

    def __init__(self, basket: Basket, currency: str) -> None:
        self.basket = basket
        self.currency = currency

    def total(self, voucher: str | None = None) -> Decimal:
        """What is to be paid, after the voucher."""
        total = Decimal(0)
        for item in self.basket.items:
            total += price_of(item.sku, self.currency) * item.amount
        if voucher is not None:
            total -= self.discount(
                total,
                voucher.upper(),
                customer=self.basket.customer.group,
            )
        return total.quantize(Decimal("0.01"))
'''

PRICES = '''\
"""Prices, as the warehouse tells them."""

from decimal import Decimal

from shop.warehouse import prices


class PriceMissing(LookupError):
    """The warehouse has no price for an article."""


def price_of(sku: str, currency: str) -> Decimal:
    """The price of one piece."""
    try:
        row = prices[sku]
        return Decimal(row.amounts[currency])
    except KeyError as error:
        raise PriceMissing(f"no price in {currency} for {sku!r}") from error
'''

VIEWS = '''\
"""What visitors see."""

from shop.checkout import Checkout
from shop.web import page, route


@route("/checkout", methods=["POST"])
def checkout(request):
    """The last page before an order."""
    basket = request.session.basket
    voucher = request.form.get("voucher")
    total = Checkout(basket, currency=request.currency).total(voucher)
    return page("checkout.html", basket=basket, total=total)
'''

WEB = '''\
"""A small framework."""


class App:
    def dispatch(self, request):
        for rule in self.rules:
            if match := rule.match(request.path):
                return rule.view(request, **match.groupdict())
        raise NotFound(request.path)

    def __call__(self, environ, start_response):
        request = Request(environ)
        response = self.middleware(self.dispatch)(request)
        return response(environ, start_response)


def with_session(handler):
    def handle(request):
        request.session = load(request.cookies)
        return handler(request)
    return handle
'''

TEMPLATE = """\
<%inherit file="page.html"/>
<h1>Your order</h1>
<ul class="items">
% for item in basket.items:
  <li>${item.amount} × ${item.article.name} <b>${money(item.price)}</b></li>
% endfor
</ul>
<p>In all: ${money(total)}</p>
"""

TREE = '''\
"""The tree of categories."""


def depth(category, seen=()):
    """How deep the tree is below a category."""
    return 1 + max(depth_of_children(category, seen), default=0)


def depth_of_children(category, seen):
    """The depths of what is below."""
    for child in category.children:
        yield depth(child, (*seen, category))
'''


def frame(
    source: str,
    failing: str,
    *,
    file: str,
    function: str,
    nth: int = 1,
    context: int = 7,
    folder: str = "/srv/shop/",
    own: bool = True,
    **more: Any,
) -> Frame:
    """A frame that failed in the ``nth`` place of ``source`` where the text ``failing`` stands."""
    place = -1
    for _ in range(nth):
        place = source.index(failing, place + 1)
    line, column = _place(source, place)
    end_line, end_column = _place(source, place + len(failing))
    texts = source.splitlines()
    more.setdefault("span", Span(line=line, column=column, end_line=end_line, end_column=end_column))
    first, last = max(1, line - context), min(len(texts), end_line + context)
    more.setdefault("module", file.removesuffix(".py").replace("/", "."))
    return Frame(
        path=folder + file,
        file=file,
        function=function,
        line=line,
        lines=tuple(Line(number=number, text=texts[number - 1]) for number in range(first, last + 1)),
        own=own,
        **more,
    )


def _place(source: str, offset: int) -> tuple[int, int]:
    before = source[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1)


def shown(**values: str) -> tuple[Shown, ...]:
    """Variables by name, of the type that their text looks like."""
    return tuple(Shown(name=name, text=text, type=_type(text)) for name, text in values.items())


def _type(text: str) -> str:
    for starts, kind in (("'", "str"), ("{", "dict"), ("[", "list"), ("(", "tuple"), ("None", "NoneType")):
        if text.startswith(starts):
            return kind
    return "int" if text.isdigit() else text.partition("(")[0].strip("<").partition(" ")[0]


_LIBRARY = "/srv/shop/.venv/lib/python3.13/site-packages/"

_SERVED = tuple(
    frame(
        WEB,
        failing,
        file="tinyweb/app.py",
        function=function,
        folder=_LIBRARY,
        own=False,
        package="tinyweb",
        variables=shown(request="<Request POST /checkout>"),
    )
    for failing, function in (
        ("self.middleware(self.dispatch)(request)", "App.__call__"),
        ("handler(request)", "with_session.<locals>.handle"),
        ("rule.view(request, **match.groupdict())", "App.dispatch"),
    )
)

_VIEW = frame(
    VIEWS,
    "Checkout(basket, currency=request.currency).total(voucher)",
    file="shop/views.py",
    function="checkout",
    block=(7, 13),
    variables=shown(basket="Basket(3 items)", request="<Request POST /checkout>", voucher="'spring-25'"),
    expressions=shown(**{"request.currency": "'SEK'"}),
)

_TOTAL = frame(
    CHECKOUT,
    "price_of(item.sku, self.currency)",
    file="shop/checkout.py",
    function="Checkout.total",
    block=(16, 27),
    variables=shown(
        total="Decimal('118.50')",
        item="Item(sku='BREAD-7', amount=2)",
        self="<Checkout of Basket(3 items)>",
        voucher="'spring-25'",
    ),
    omitted_variables=2,
    expressions=shown(**{"item.sku": "'BREAD-7'", "self.currency": "'SEK'"}),
    info=("basket 4711",),
)

_price_of = partial(frame, PRICES, file="shop/prices.py", function="price_of", block=(12, 18))

# A statement that fails as a whole has no span.
_PRICE = _price_of(
    'raise PriceMissing(f"no price in {currency} for {sku!r}") from error',
    variables=shown(currency="'SEK'", sku="'BREAD-7'", row="Row(sku='BREAD-7', amounts={'EUR': '4.20'})"),
    expressions=shown(),
    span=None,
)

_KEY = _price_of(
    "row.amounts[currency]",
    variables=shown(row="Row(sku='BREAD-7', amounts={'EUR': '4.20'})", currency="'SEK'", sku="'BREAD-7'"),
    expressions=shown(**{"row.amounts": "{'EUR': '4.20'}"}),
)

REQUEST = Request(
    method="POST",
    url="http://localhost:8080/shop/checkout?step=3&token=[redacted: str, 12 chars]",
    protocol="HTTP/1.1",
    script_name="/shop",
    path_info="/checkout",
    peer="127.0.0.1",
    client="127.0.0.1",
    user="ada",
    request_id="b7f1c2d4e5",
    query=(("step", "3"), ("token", "[redacted: str, 12 chars]")),
    headers=(
        ("Host", "localhost:8080"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0"),
        ("Accept", "text/html,application/xhtml+xml;q=0.9"),
        ("Accept-Language", "sv,en;q=0.7"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Cookie", "[redacted: str, 43 chars]"),
    ),
    cookies=(("session", "[redacted: str, 32 chars]"), ("theme", "dark")),
    form=(("voucher", "spring-25"), ("card_number", "[redacted: str, 16 chars]")),
    environ=(
        ("CONTENT_LENGTH", "44"),
        ("PATH_INFO", "/checkout"),
        ("QUERY_STRING", "step=3&token=[redacted: str, 12 chars]"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REQUEST_METHOD", "POST"),
        ("SCRIPT_NAME", "/shop"),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "8080"),
        ("wsgi.multiprocess", "False"),
        ("wsgi.multithread", "True"),
        ("wsgi.url_scheme", "http"),
    ),
    mounts=(
        Step(prefix="/shop", origin="/srv/shop/development.ini:14"),
        Step(prefix="", host="localhost", origin="/srv/shop/development.ini:31"),
    ),
    notes=("X-Forwarded-For was removed: its sender is not trusted",),
    elapsed=0.0482,
)

CONFIG: Pairs = (
    ("currency", "SEK"),
    ("database", "postgresql://shop:[redacted]@db.internal/shop"),
    ("debug", "true"),
    ("session.secret", "[redacted: str, 40 chars]"),
)

VERSIONS: Pairs = (
    ("Python", "CPython 3.13.1"),
    ("System", "Linux 6.8 x86_64"),
    ("wheatpaste", "0.1.0"),
    ("tinyweb", "2.4.1"),
)


def record(*exceptions: Raised, **more: Any) -> ErrorRecord:
    """A record of these exceptions, with everything else that a record can hold."""
    given: dict[str, Any] = {
        "id": "K7QX-M3PZ",
        "group": "E-7K3QX",
        "time": TIME,
        "exceptions": exceptions,
        "request": REQUEST,
        "config": CONFIG,
        "filters": ("shop.sessions.Sessions", "wheatpaste.middleware.urlmap.URLMap", "tinyweb.app.App"),
        "versions": VERSIONS,
        "pid": 4711,
        "thread": "wheatpaste-3",
        "host": "ada-laptop",
    }
    return ErrorRecord(**(given | more))


def simple() -> ErrorRecord:
    """One exception in three frames of the project, behind three of a library."""
    raised = Raised(
        type="shop.prices.PriceMissing",
        message="no price in SEK for 'BREAD-7'",
        frames=(*_SERVED, _VIEW, _TOTAL, _PRICE),
        focus=5,
    )
    return record(raised)


def chain() -> ErrorRecord:
    """A cause, a context that ``from`` hides, notes, attributes, suggestions, a frame that hides itself."""
    hidden = dataclasses.replace(_SERVED[1], hidden=True)
    return record(
        Raised(
            type="shop.prices.PriceMissing",
            message="no price in SEK for 'BREAD-7'",
            notes=("The warehouse was asked at 02:43.", "Prices are imported each night:\n  shop import-prices"),
            attributes=shown(sku="'BREAD-7'", status="503"),
            frames=(_SERVED[0], hidden, _SERVED[2], _VIEW, _TOTAL, _PRICE),
            focus=5,
        ),
        Raised(
            type="KeyError",
            message="'SEK'",
            parent=0,
            relation="cause",
            suggestions=("The keys are: 'EUR'.",),
            frames=(_KEY,),
            focus=0,
        ),
        Raised(
            type="ConnectionResetError",
            message="[Errno 104] Connection reset by peer",
            parent=0,
            relation="context",
            suppressed=True,
            frames=(_VIEW,),
            focus=0,
        ),
    )


def group(members: int = 3, omitted: int = 0) -> ErrorRecord:
    """An ExceptionGroup with a group among its members."""
    exceptions = [
        Raised(
            type="ExceptionGroup",
            message=f"the basket cannot be priced ({members} sub-exceptions)",
            group=True,
            omitted_members=omitted,
            frames=(*_SERVED, _VIEW),
            focus=3,
        ),
        Raised(
            type="shop.prices.PriceMissing",
            message="no price in SEK for 'BREAD-7'",
            parent=0,
            relation="member",
            frames=(_TOTAL, _PRICE),
            focus=1,
        ),
        Raised(type="KeyError", message="'SEK'", parent=1, relation="cause", frames=(_KEY,), focus=0),
        Raised(
            type="ExceptionGroup",
            message="stock (2 sub-exceptions)",
            parent=0,
            relation="member",
            group=True,
            frames=(_VIEW,),
            focus=0,
        ),
        Raised(
            type="TimeoutError",
            message="the warehouse did not answer within 2 s",
            parent=3,
            relation="member",
            frames=(_TOTAL,),
            focus=0,
        ),
        Raised(
            type="shop.stock.SoldOut", message="CAKE-1", parent=3, relation="member", frames=(_TOTAL, _PRICE), focus=1
        ),
    ]
    exceptions += [
        Raised(
            type="ValueError",
            message=f"article {number} has no weight",
            parent=0,
            relation="member",
            frames=(_TOTAL,),
            focus=0,
        )
        for number in range(max(0, members - 2))
    ]
    return record(*exceptions)


def recursion(kept: int = 60) -> ErrorRecord:
    """A RecursionError: two functions that call each other, 488 times more than is shown."""
    first = frame(
        TREE,
        "depth_of_children(category, seen)",
        file="shop/tree.py",
        function="depth",
        block=(4, 6),
        variables=shown(category="Category('Bread')", seen="(Category('Root'), Category('Bread'), … 486 more)"),
    )
    second = frame(
        TREE,
        "depth(child, (*seen, category))",
        file="shop/tree.py",
        function="depth_of_children",
        block=(9, 12),
        variables=shown(child="Category('Bread')", category="Category('Bread')"),
    )
    frames = (*_SERVED, _VIEW, *(first, second) * (kept // 2 - 2))
    return record(
        Raised(
            type="RecursionError",
            message="maximum recursion depth exceeded",
            frames=frames,
            folds=(Fold(after=7, frames=2, times=488),),
            focus=len(frames) - 1,
            omitted_frames=976,
        )
    )


def template() -> ErrorRecord:
    """A failure in a line of a Mako template."""
    inside = frame(
        TEMPLATE,
        "${item.article.name}",
        file="shop/templates/checkout.html",
        function="render_body",
        language="mako",
        variables=shown(item="Item(sku='BREAD-7', amount=2)", basket="Basket(3 items)"),
        expressions=shown(**{"item.article": "None"}),
        supplement=Supplement(
            object="checkout.html",
            source_url="http://localhost:8080/templates/checkout.html",
            line=5,
            column=22,
            expression="item.article.name",
            warnings=("the template is older than its page",),
            info="rendered for ada",
            extra=(("important", "Template", "checkout.html"), ("extra", "Context", "basket, total, money")),
        ),
    )
    return record(
        Raised(
            type="AttributeError",
            message="'NoneType' object has no attribute 'name'",
            suggestions=("item.article is None here.",),
            frames=(*_SERVED, _VIEW, inside),
            focus=4,
        )
    )


def syntax() -> ErrorRecord:
    """A SyntaxError in a module that the app imports, as a pseudo frame."""
    source = "def discount(total, voucher):\n    rate = RATES[voucher\n    return total * rate\n"
    place = frame(
        source, "[", file="shop/vouchers.py", function="", language="syntax", block=None, module="shop.vouchers"
    )
    return record(
        Raised(
            type="SyntaxError",
            message="'[' was never closed (vouchers.py, line 2)",
            frames=(*_SERVED, _VIEW, place),
            focus=4,
        )
    )


def long_message() -> ErrorRecord:
    """A message of many lines, of a failure without frames of the project and without a request."""
    message = "the import failed:\n" + "\n".join(f"  row {n}: {'wheat ' * 12}" for n in range(1, 90))
    return record(Raised(type="ValueError", message=message, frames=_SERVED, focus=2), request=None, config=())


def bare() -> ErrorRecord:
    """As little as a record can hold."""
    return ErrorRecord(id="K7QX-M3PZ", group="E-7K3QX", time=TIME, exceptions=(Raised(type="Exception", message=""),))


def slow() -> ErrorRecord:
    """A request that still runs."""
    return record(
        Raised(
            type="SlowRequest",
            message="POST /shop/checkout still runs after 10.0 s",
            frames=(*_SERVED, _VIEW, _TOTAL),
            focus=4,
        ),
        phase="slow",
    )


def rich() -> ErrorRecord:
    """Every kind of thing at once."""
    chained, templated, recursive = chain().exceptions, template().exceptions[0], recursion().exceptions[0]
    more = (
        dataclasses.replace(templated, parent=1, relation="context"),
        dataclasses.replace(recursive, parent=3, relation="cause"),
        *(
            dataclasses.replace(each, parent=4 if each.parent is None else each.parent + 5, relation="member")
            for each in group().exceptions
        ),
    )
    return record(*chained, *more, omitted_exceptions=3)


MARKUP = """"'><script>alert(1)</script></textarea><!--"""
"""What must never come out of a page as it is."""

TERMINAL = "\x1b[2J\x1b]0;owned\x07\r\nfake: line\u202e\x00\x85"
"""What must never reach a terminal or a log as it is."""

FENCES = "```\n~~~~\n```` </details> [x](javascript:alert(1)) | <b>"
"""What must not end a block of Markdown."""


def poisoned(record: ErrorRecord, text: str) -> ErrorRecord:
    """The same record with ``text`` in every place that holds text, apart from its ids and its fixed words."""
    changed: ErrorRecord = _poisoned(record, text)
    return dataclasses.replace(changed, id=record.id, group=record.group)


_FIXED = {"phase", "relation", "language"}


def _poisoned(value: Any, text: str) -> Any:
    if isinstance(value, str):
        return text
    if isinstance(value, tuple):
        return tuple(_poisoned(each, text) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return dataclasses.replace(
            value, **{name: _poisoned(getattr(value, name), text) for name in names if name not in _FIXED}
        )
    return value


def hostile() -> ErrorRecord:
    """Markup in every text of a record that has everything."""
    return poisoned(rich(), MARKUP)


SAMPLES: dict[str, Callable[[], ErrorRecord]] = {
    make.__name__: make
    for make in (simple, chain, group, recursion, template, syntax, long_message, bare, slow, rich, hostile)
}
