"""What a request is expected to take."""

from __future__ import annotations

from wheatpaste.server.forecast import LONG, WAITING, WORTH_A_LOOK, Forecast, Pace


def learnt(*measured: tuple[float, float, bool]) -> Pace:
    pace = Pace()
    for wall, cpu, waited in measured:
        pace.learn(wall, cpu, waited=waited)
    return pace


def test_nothing_is_known_of_what_was_never_seen() -> None:
    pace = Forecast().pace_of("GET", "/never")
    assert (pace.known, pace.slow, pace.watched) == (False, False, False)


def test_what_waits_is_slow_at_once() -> None:
    assert learnt((0.05, 0.000_1, True)).slow


def test_what_computes_for_long_is_slow() -> None:
    assert learnt(*[(2 * LONG, 2 * LONG, False)] * 10).slow


def test_what_computes_shortly_is_not_slow() -> None:
    pace = learnt(*[(LONG / 4, LONG / 4, False)] * 50)
    assert not pace.slow
    assert pace.watched


def test_time_that_other_processes_took_does_not_count() -> None:
    """The wall time is long, but the thread neither waited nor computed."""
    assert not learnt(*[(0.1, 0.000_05, False)] * 50).slow


def test_one_that_waited_among_many_that_did_not_is_forgiven() -> None:
    pace = learnt((10 * WAITING, 0.0, True))
    assert pace.slow
    for _ in range(20):
        pace.learn(0.000_05, 0.000_05, waited=False)
    assert not pace.slow
    assert not pace.watched


def test_what_becomes_slow_is_noticed_though_it_was_fast_a_thousand_times() -> None:
    pace = learnt(*[(0.000_05, 0.000_05, False)] * 1000)
    pace.look_at(0.02)  # all that is known of one that was not measured
    assert pace.watched
    pace.learn(0.02, 0.0, waited=True)
    assert pace.slow


def test_a_look_that_shows_nothing_costs_nothing_later() -> None:
    pace = Pace()
    pace.look_at(WORTH_A_LOOK / 2)
    assert pace.known
    assert not pace.watched


def test_one_for_which_the_leader_was_replaced_makes_its_like_slow() -> None:
    forecast = Forecast()
    pace = forecast.pace_of("GET", "/reports/7")
    pace.overrun()
    assert pace.slow
    assert forecast.pace_of("GET", "/reports/8").slow  # like many that were never seen
    assert not forecast.pace_of("POST", "/reports/7").slow
    assert not forecast.pace_of("GET", "/other").slow


def test_what_is_known_of_a_path_is_not_lost_to_its_siblings() -> None:
    forecast = Forecast()
    fast = forecast.pace_of("GET", "/reports/fast")
    for _ in range(10):
        fast.learn(0.000_05, 0.000_05, waited=False)
    forecast.pace_of("GET", "/reports/slow").overrun()
    assert not forecast.pace_of("GET", "/reports/fast").slow


def test_requests_are_alike_by_method_and_two_segments() -> None:
    forecast = Forecast()
    assert forecast.pace_of("GET", "/a/b/c") is forecast.pace_of("GET", "/a/b/d")
    assert forecast.pace_of("GET", "/a/b") is not forecast.pace_of("GET", "/a/c")
    assert forecast.pace_of("GET", "/a/b") is not forecast.pace_of("HEAD", "/a/b")


def test_every_path_has_a_pace_and_the_table_stays_small() -> None:
    forecast = Forecast()
    for path in ("", "*", "/", "//", "x", "/\xff", *(f"/{number}/{number}" for number in range(5000))):
        assert forecast.pace_of("GET", path) is not None
    assert len(forecast._paces) <= 1024
