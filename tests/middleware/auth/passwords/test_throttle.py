"""It lets nobody guess quickly, and keeps nobody out by what strangers do."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from auth_guarded_site import GuardedSite

from wheatpaste.middleware.auth.passwords.throttle import COOKIE, Rate, Throttle, network_of


def attempts(site: GuardedSite, name: str, number: int, **environ: str) -> list[float | None]:
    """What the throttle says of so many wrong passwords in a row."""
    return [site.throttle.wait(site.visit(**environ), name) for _ in range(number)]


def test_five_are_free_and_then_each_wrong_one_doubles_the_wait_up_to_a_quarter_of_an_hour() -> None:
    site = GuardedSite()
    assert attempts(site, "bob", 5) == [None] * 5
    waits = []
    for _ in range(14):
        seconds = site.throttle.wait(site.visit(), "bob")
        assert seconds is not None
        waits.append(seconds)
        site.clock.advance(seconds)
        assert site.throttle.wait(site.visit(), "bob") is None
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]


def test_who_asks_while_waiting_waits_no_longer_for_it() -> None:
    site = GuardedSite()
    attempts(site, "bob", 7)
    site.clock.advance(0.5)
    assert attempts(site, "bob", 50) == [0.5] * 50
    site.clock.advance(0.5)
    assert site.throttle.wait(site.visit(), "bob") is None


def test_five_wrong_ones_count_only_within_a_quarter_of_an_hour() -> None:
    site = GuardedSite()
    attempts(site, "bob", 4)
    site.clock.advance(899)
    assert attempts(site, "bob", 2)[1] == 1
    other = GuardedSite()
    attempts(other, "bob", 4)
    other.clock.advance(901)
    assert attempts(other, "bob", 5) == [None] * 5


def test_waits_are_forgotten_a_while_after_the_last_one() -> None:
    site = GuardedSite()
    for _ in range(12):
        site.clock.advance(site.throttle.wait(site.visit(), "bob") or 0)
    site.clock.advance(2 * 900 + 1)
    assert attempts(site, "bob", 5) == [None] * 5


def test_a_success_makes_an_account_begin_anew() -> None:
    site = GuardedSite()
    attempts(site, "bob", 5)
    site.throttle.succeeded(site.visit(), "bob", browser=False)
    assert attempts(site, "bob", 5) == [None] * 5


@pytest.mark.parametrize("other", ["BOB", "Bob", "bob"])
def test_a_name_is_counted_in_whatever_letters_it_comes(other: str) -> None:
    site = GuardedSite()
    attempts(site, "bob", 5)
    assert attempts(site, other, 1) == [1]


def test_spellings_of_one_name_are_one_and_other_names_are_others() -> None:
    site = GuardedSite()
    attempts(site, "Jos\u00e9", 5)
    assert attempts(site, "jose\u0301", 1) == [1]
    assert attempts(site, "jose", 1) == [None]


def test_a_hundred_at_the_same_time_are_a_hundred() -> None:
    site = GuardedSite()
    with ThreadPoolExecutor(20) as crowd:
        said = list(crowd.map(lambda _: site.throttle.wait(site.visit(), "bob"), range(100)))
    assert said.count(None) == 5


def test_a_browser_that_the_user_has_logged_in_with_does_not_wait_for_strangers() -> None:
    site = GuardedSite()
    visit = site.visit()
    site.throttle.succeeded(visit, "bob")
    cookie = site.cookies_of(visit)
    assert cookie.startswith(f"{COOKIE}=")
    assert attempts(site, "bob", 6, REMOTE_ADDR="198.51.100.1")[-1] == 1
    assert attempts(site, "bob", 6, HTTP_COOKIE=cookie) == [None] * 5 + [1]
    assert attempts(site, "bob", 1, REMOTE_ADDR="203.0.113.9") == [1]


def test_the_cookie_of_a_device_is_for_one_user_and_one_site_and_for_ninety_days() -> None:
    site = GuardedSite()
    visit = site.visit()
    site.throttle.succeeded(visit, "bob")
    cookie = site.cookies_of(visit)
    attempts(site, "ann", 6)
    assert attempts(site, "ann", 1, HTTP_COOKIE=cookie)[0] is not None
    attempts(site, "bob", 6)
    for broken in (cookie[:-1], cookie[:-2] + "AA", f"{COOKIE}=", f"{COOKIE}=%00"):
        assert attempts(site, "bob", 1, HTTP_COOKIE=broken)[0] is not None
    site.clock.advance(90 * 86400 + 1)
    attempts(site, "bob", 6)
    assert attempts(site, "bob", 1, HTTP_COOKIE=cookie)[0] is not None
    other = GuardedSite()
    attempts(other, "bob", 6)
    assert attempts(other, "bob", 1, HTTP_COOKIE=cookie)[0] is not None


def test_a_stolen_cookie_of_a_device_is_counted_by_itself() -> None:
    site = GuardedSite()
    visit = site.visit()
    site.throttle.succeeded(visit, "bob")
    cookie = site.cookies_of(visit)
    said = [site.throttle.wait(site.visit(HTTP_COOKIE=cookie, REMOTE_ADDR=f"192.0.2.{n}"), "bob") for n in range(7)]
    assert said == [None] * 5 + [1, 1]


def test_a_program_that_has_logged_in_is_known_by_its_address() -> None:
    site = GuardedSite()
    site.throttle.succeeded(site.visit(), "bob", browser=False)
    attempts(site, "bob", 9, REMOTE_ADDR="198.51.100.1")
    assert attempts(site, "bob", 6) == [None] * 5 + [1]
    assert attempts(site, "ann", 6, REMOTE_ADDR="198.51.100.1")[-1] == 1
    assert attempts(site, "ann", 1)[0] == 1


def test_a_browser_is_known_by_its_cookie_alone() -> None:
    site = GuardedSite()
    site.throttle.succeeded(site.visit(), "bob")
    attempts(site, "bob", 6, REMOTE_ADDR="198.51.100.1")
    assert attempts(site, "bob", 1) == [1]


def test_an_address_has_thirty_wrong_ones_in_a_minute() -> None:
    site = GuardedSite()
    assert [site.throttle.admit(site.visit()) for _ in range(31)] == [None] * 30 + [60]
    assert site.throttle.admit(site.visit(REMOTE_ADDR="192.0.2.8")) is None
    site.clock.advance(60)
    assert site.throttle.admit(site.visit()) is None


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.1"},
        {"REMOTE_ADDR": "::1", "HTTP_VIA": "1.1 proxy"},
    ],
)
def test_an_address_that_is_everybodys_is_not_counted(environ: dict[str, str]) -> None:
    site = GuardedSite()
    assert [site.throttle.admit(site.visit(**environ)) for _ in range(100)] == [None] * 100
    assert attempts(site, "bob", 6, **environ) == [None] * 5 + [1]


def test_right_ones_do_not_count_for_an_address() -> None:
    site = GuardedSite()
    for _ in range(100):
        assert site.throttle.admit(site.visit()) is None
        site.throttle.succeeded(site.visit(), "bob")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
    ],
)
def test_a_network_is_what_one_client_has_for_itself(one: str, other: str, is_same: bool) -> None:
    assert (network_of(one) == network_of(other)) is is_same


def test_where_there_is_a_ceiling_it_holds_for_all_together() -> None:
    site = GuardedSite(throttle={"ceiling": Rate(50, 60.0)})
    said = [site.throttle.admit(site.visit(REMOTE_ADDR=f"192.0.2.{number}")) for number in range(60)]
    assert said == [None] * 50 + [60] * 10


def test_what_came_to_no_end_is_given_back() -> None:
    site = GuardedSite()
    for _ in range(40):
        assert site.throttle.admit(site.visit()) is None
        assert site.throttle.wait(site.visit(), "bob") is None
        site.throttle.abandoned(site.visit(), "bob")


def test_to_look_counts_nothing() -> None:
    site = GuardedSite()
    for _ in range(50):
        assert site.throttle.peek(site.visit(), "bob") is None
    attempts(site, "bob", 5)
    assert site.throttle.peek(site.visit(), "bob") == 1
    for _ in range(30):
        site.throttle.admit(site.visit(REMOTE_ADDR="192.0.2.99"))
    assert site.throttle.peek(site.visit(REMOTE_ADDR="192.0.2.99"), "nobody") == 60


def test_an_administrator_can_let_an_account_begin_anew() -> None:
    site = GuardedSite()
    attempts(site, "bob", 6)
    site.throttle.forget("BOB")
    assert attempts(site, "bob", 1) == [None]


def test_no_name_that_was_typed_is_in_the_store() -> None:
    site = GuardedSite()
    attempts(site, "my-password-in-the-wrong-field", 2)
    site.throttle.succeeded(site.visit(), "another-one", browser=False)
    for space in ("auth.throttle", "auth.places"):
        assert not any("word" in key or "another" in key for key in site.store.keys(space))


def test_processes_that_share_a_store_count_together() -> None:
    site = GuardedSite()
    other = Throttle(site.store, site.vault, site.clock.time)
    for _ in range(3):
        site.throttle.wait(site.visit(), "bob")
        other.wait(site.visit(), "bob")
    assert other.wait(site.visit(), "bob") == 1


@pytest.mark.parametrize(
    ("text", "rate"),
    [("5/15m", Rate(5, 900)), ("30/m", Rate(30, 60)), ("600 / 1h", Rate(600, 3600)), ("1/2d", Rate(1, 172800))],
)
def test_a_rate_is_a_number_and_a_time(text: str, rate: Rate) -> None:
    assert Rate.read(text) == rate


@pytest.mark.parametrize("text", ["", "5", "0/15m", "5/0m", "5/15", "-1/m", "5/15 minutes", "5//m"])
def test_everything_else_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="such as 5/15m"):
        Rate.read(text)


# ---- what an administrator sees


def told(site: GuardedSite, *names: str) -> list[tuple[str, str | None, bool, str, int, float]]:
    """What has to wait: kind, name, whether it is a device of the user's own, place, attempts, seconds."""
    return [
        (each.kind, each.name, each.device, each.place, each.number, each.until - site.clock.time())
        for each in site.throttle.slowed(names)
    ]


def test_nothing_is_told_before_anything_has_to_wait() -> None:
    site = GuardedSite()
    attempts(site, "bob", 4)
    for _ in range(29):
        site.throttle.admit(site.visit())
    assert told(site, "bob") == []


def test_names_that_have_to_wait_are_told_for_as_long_as_they_do() -> None:
    site = GuardedSite()
    attempts(site, "Bob", 5, REMOTE_ADDR="192.0.2.1")
    site.clock.advance(1)
    attempts(site, "bob", 1, REMOTE_ADDR="2001:db8:0:1::7")
    attempts(site, "nobody", 5, REMOTE_ADDR="192.0.2.9")
    assert told(site, "bob") == [
        ("name", "bob", False, "2001:db8:0:1::/64", 6, 2),
        ("name", None, False, "192.0.2.9", 5, 1),
    ]
    assert told(site)[0][1] is None
    site.clock.advance(2)
    assert told(site, "bob") == []


def test_a_device_of_the_user_is_told_as_one() -> None:
    site = GuardedSite()
    site.throttle.succeeded(site.visit(REMOTE_ADDR="192.0.2.1"), "bob", browser=False)
    attempts(site, "bob", 6, REMOTE_ADDR="192.0.2.1")
    assert told(site, "bob") == [("name", "bob", True, "192.0.2.1", 5, 1)]
    assert site.throttle.forget("BOB") == 1
    assert told(site, "bob") == []
    assert attempts(site, "bob", 1, REMOTE_ADDR="192.0.2.1") == [None]


@pytest.mark.parametrize(("address", "place"), [("192.0.2.1", "192.0.2.1"), ("2001:db8:0:1::7", "2001:db8:0:1::/64")])
def test_addresses_that_have_to_wait_are_told(address: str, place: str) -> None:
    site = GuardedSite()
    found = [site.throttle.admit(site.visit(REMOTE_ADDR=address)) for _ in range(32)]
    assert found[29:] == [None, 60, 60]
    assert told(site) == [("address", None, False, place, 32, 60)]
    assert site.throttle.forget_address(address)
    assert told(site) == []
    assert site.throttle.admit(site.visit(REMOTE_ADDR=address)) is None


def test_an_address_whose_attempts_were_right_does_not_wait() -> None:
    site = GuardedSite()
    for _ in range(30):
        site.throttle.admit(site.visit(REMOTE_ADDR="192.0.2.1"))
    site.throttle.succeeded(site.visit(REMOTE_ADDR="192.0.2.1"), "bob", browser=False)
    assert told(site) == []


def test_the_ceiling_is_told_and_can_be_lifted() -> None:
    site = GuardedSite()
    site.throttle = Throttle(site.store, site.vault, site.clock.time, ceiling=Rate(3, 60.0))
    for number in range(5):
        site.throttle.admit(site.visit(REMOTE_ADDR=f"192.0.2.{number}"))
    assert told(site) == [("everybody", None, False, "", 5, 60)]
    assert site.throttle.release(site.throttle.slowed()[0])
    assert told(site) == []


def test_one_of_those_told_can_go_on_and_the_others_still_wait() -> None:
    site = GuardedSite()
    attempts(site, "bob", 5)
    attempts(site, "kim", 5)
    found = {each.name: each for each in site.throttle.slowed(["bob", "kim"])}
    assert site.throttle.release(found["bob"])
    assert not site.throttle.release(found["bob"])
    assert [each.name for each in site.throttle.slowed(["bob", "kim"])] == ["kim"]
    assert site.throttle.forget_all() > 0
    assert site.throttle.slowed() == []


@pytest.mark.parametrize("address", ["", "unix", "9" * 30, "²", "fe80::1%eth0", "[::1]"])
def test_a_strange_address_is_told_as_it_is(address: str) -> None:
    site = GuardedSite()
    attempts(site, "bob", 5, REMOTE_ADDR=address)
    assert len(told(site, "bob")) == 1
