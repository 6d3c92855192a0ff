"""Where a browser may be sent after a login."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.return_to import safe_target

HERE = "https://wiki.example.org/-/auth/login"

STAYS = ["/", "/a", "/a/b?c=d&e=%2F%2Fevil", "/%2F/evil.example", "/a//b", "/:80", "/@evil", "/?next=//evil", "/a[0]"]

LEAVES = {
    "nothing": "",
    "another site": "https://evil.example/",
    "another site without a scheme": "//evil.example",
    "a backslash for a slash": "/\\evil.example",
    "two backslashes": "\\\\evil.example",
    "three slashes": "///evil.example",
    "a scheme without slashes": "https:evil.example",
    "a script": "javascript:alert(1)",
    "data": "data:text/html,x",
    "a tab that browsers remove": "/\t/evil.example",
    "a tab in front": "\t//evil.example",
    "a newline that browsers remove": "/\n/evil.example",
    "a second header": "/a\r\nSet-Cookie: x=y",
    "a blank in front": " //evil.example",
    "a blank": "/a b",
    "a NUL": "/\0/evil.example",
    "a user in front of the host": "//wiki.example.org@evil.example/",
    "letters that look alike": "//\u0435xample.org",
    "a slash of full width": "/\uff0fevil.example",
    "letters beyond ASCII": "/seite/\u00fc",
    "a relative path": "page",
    "a relative path upwards": "../page",
    "a query alone": "?a=b",
    "a backslash further in": "/a\\..\\\\evil.example",
    "an endless path": "/" + "a" * 3000,
}


@pytest.mark.parametrize("target", STAYS)
def test_a_path_of_this_site_is_kept(target: str) -> None:
    assert safe_target(target) == target


@pytest.mark.parametrize("target", LEAVES.values(), ids=LEAVES)
def test_what_could_lead_away_is_not(target: str) -> None:
    assert safe_target(target) is None


@given(st.text(alphabet=st.one_of(st.sampled_from("/\\:@?#.%\t\r\n \0evil"), st.characters()), max_size=40))
def test_whatever_is_kept_leads_to_this_site(text: str) -> None:
    kept = safe_target(text)
    if kept is not None:
        reached = urlsplit(urljoin(HERE, kept))
        assert (reached.scheme, reached.netloc) == ("https", "wiki.example.org")
        assert kept.isascii()
        assert kept.isprintable()


def test_none_is_none() -> None:
    assert safe_target(None) is None
