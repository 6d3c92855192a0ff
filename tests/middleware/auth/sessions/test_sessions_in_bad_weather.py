"""Whatever becomes of answers on their way: who is honest stays signed in, and who has stolen a cookie is found out."""

import logging

import pytest
from auth_sessions import COOKIE, World
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.auth.sessions.token import read_token
from wheatpaste.testing import Clock

GAPS = st.sampled_from([0.0, 0.1, 5.0, 29.0, 31.0, 60.0, 300.0, 899.0, 901.0, 1800.0, 3540.0])


def ask(world, browser, how):
    """Requests of one browser at one moment; whether each was answered as its user's."""
    if how == "lost":
        return [world.name(browser.copy())]
    if how == "pair":
        one, two = browser.copy(), browser.copy()
        names = [world.name(one), world.name(two)]
        browser.cookies = one.cookies  # the second answer comes first
        return names
    if how == "step-up":
        visit = browser.visit()
        world.sessions.step_up(visit, ("otp",))
        browser.keep(visit)
    return [world.name(browser)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(GAPS, st.sampled_from(["answered", "lost", "pair", "step-up"])), max_size=40))
def test_an_honest_browser_is_never_taken_for_a_thief(steps):
    clock = Clock()
    world = World(clock)
    browser = world.browser()
    world.login(browser)
    for gap, how in steps:
        clock.advance(gap)
        if clock.time() - 1_000_000_000 >= 86400:
            break
        assert set(ask(world, browser, how)) == {"bob"}
    assert world.audit.events == []


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(GAPS, st.sampled_from(["owner", "thief"])), max_size=12),
    st.sampled_from(["owner", "thief"]),
    st.booleans(),
)
def test_of_two_who_have_a_cookie_only_one_lasts(steps, first, same_agent):
    """From when the secret was replaced and both have come again, at the latest."""
    clock = Clock()
    world = World(clock)
    owner = world.browser()
    world.login(owner)
    thief = owner.copy(address="198.51.100.9", **({} if same_agent else {"agent": "curl/8"}))
    browsers = {"owner": owner, "thief": thief}
    for gap, who in steps:
        clock.advance(gap)
        world.name(browsers[who])
    clock.advance(901)
    other = "thief" if first == "owner" else "owner"
    for who in (first, first, other):
        world.name(browsers[who])
    clock.advance(31)
    names = [world.name(browsers[who]) for who in (first, other, first, other)]
    assert names[2:] == [None, None]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(GAPS, st.sampled_from(["answered", "lost", "pair", "step-up"])), max_size=20))
def test_no_cookie_that_there_ever_was_outlives_the_logout(steps):
    clock = Clock()
    world = World(clock)
    browser = world.browser()
    world.login(browser)
    all_there_were = [browser.copy()]
    for gap, how in steps:
        clock.advance(min(gap, 1000.0))
        ask(world, browser, how)
        all_there_were.append(browser.copy())
    visit = browser.visit()
    world.sessions.end(visit)
    assert {world.name(each) for each in all_there_were} == {None}
    assert world.sessions.of("local:bob") == []


@pytest.mark.parametrize("mode", ["store", "cookie"])
def test_nothing_of_it_is_logged(clock, caplog, mode):
    caplog.set_level(logging.DEBUG)
    world = World(clock, mode=mode)
    browser = world.browser()
    world.login(browser, data={"refresh": "refresh-token-of-a-provider"})
    secrets = [browser.cookies[COOKIE]]
    before = browser.copy()
    for _ in range(4):
        clock.advance(901)
        world.name(browser)
        secrets.append(browser.cookies[COOKIE])
    world.name(before)
    told = caplog.text + repr(world.audit.events)
    for text in secrets:
        token = read_token(text, world.vault)
        assert text not in told
        assert token is None or token.secret.hex() not in told
    assert "refresh-token" not in told
