"""The 49 probes that were taken from OWASP ASVS 5.0, and the tests that hold them: each is there.

The first that is named probes a served site from outside; what follows looks closer.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOMS = HERE.parent

FRONTEND, SESSIONS, PASSWORDS = "asvs/test_asvs_frontend", "asvs/test_asvs_sessions", "asvs/test_asvs_passwords"
FACTORS, LOG, PROVIDERS = "asvs/test_asvs_factors", "asvs/test_asvs_log", "asvs/test_asvs_providers"
OIDC, LOGOUT, CERTIFIED = "oidc/test_oidc_login", "oidc/test_oidc_logout", "oidc/test_certified_provider"
PASSKEYS, JWT = "factors/test_passkeys", "methods/test_jwt"

PROBES: dict[int, tuple[str, ...]] = {
    1: (f"{SESSIONS}:test_probe_1_", f"{OIDC}:test_a_callback_without_a_login_is_refused"),
    2: (f"{PASSWORDS}:test_probe_2_",),
    3: (f"{FRONTEND}:test_probe_3_",),
    4: (f"{FRONTEND}:test_probe_4_",),
    5: (f"{FRONTEND}:test_probe_5_",),
    6: (f"{FRONTEND}:test_probe_6_",),
    7: (f"{FRONTEND}:test_probe_7_",),
    8: (f"{FRONTEND}:test_probes_8_9_10_46_",),
    9: (f"{FRONTEND}:test_probes_8_9_10_46_",),
    10: (f"{FRONTEND}:test_probes_8_9_10_46_",),
    11: (f"{FRONTEND}:test_probe_11_",),
    12: (f"{FRONTEND}:test_probe_12_",),
    13: (f"{FRONTEND}:test_probe_13_",),
    14: (f"{FRONTEND}:test_probe_14_",),
    15: (f"{PASSWORDS}:test_probe_15_", f"{PASSWORDS}:test_probes_15_16_19_"),
    16: (f"{PASSWORDS}:test_probes_15_16_19_",),
    17: (f"{PASSWORDS}:test_probe_17_",),
    18: (f"{PASSWORDS}:test_probe_18_",),
    19: (f"{PASSWORDS}:test_probes_15_16_19_",),
    20: (f"{PASSWORDS}:test_probe_20_",),
    21: (f"{PASSWORDS}:test_probe_21_",),
    22: (f"{FACTORS}:test_probe_22_",),
    23: (f"{PASSWORDS}:test_probe_23_",),
    24: (f"{PASSWORDS}:test_probe_24_",),
    25: (f"{FACTORS}:test_probe_25_",),
    26: (f"{PASSWORDS}:test_probe_26_",),
    27: (f"{FACTORS}:test_probe_27_",),
    28: (f"{PASSWORDS}:test_probe_28_",),
    29: (f"{FACTORS}:test_probe_29_",),
    30: (
        f"{FACTORS}:test_probe_30_",
        f"{PASSKEYS}:test_an_answer_counts_once",
        f"{PASSKEYS}:test_a_question_lives_for_five_minutes",
    ),
    31: (
        f"{PROVIDERS}:test_probe_31_",
        "oidc/test_admission:test_the_same_subject_and_mail_at_two_providers_are_two_accounts",
    ),
    32: (
        f"{PROVIDERS}:test_probe_32_",
        f"{OIDC}:test_signatures_that_are_not_right",
        f"{CERTIFIED}:test_two_people_log_in",
    ),
    33: (
        f"{PROVIDERS}:test_probe_33_",
        f"{OIDC}:test_demands_on_the_login",
    ),
    34: (f"{SESSIONS}:test_probe_34_",),
    35: (f"{SESSIONS}:test_probe_35_",),
    36: (f"{SESSIONS}:test_probe_36_",),
    37: (f"{SESSIONS}:test_probe_37_",),
    38: (f"{SESSIONS}:test_probe_38_",),
    39: (f"{SESSIONS}:test_probe_39_",),
    40: (f"{FACTORS}:test_probe_40_", "pages/test_second_pages:test_what_is_important_asks_again_after_ten_minutes"),
    41: (
        f"{PROVIDERS}:test_probe_41_",
        f"{CERTIFIED}:test_a_logout_at_the_provider_ends_the_session_here",
        f"{OIDC}:test_another_site_cannot_begin",
    ),
    42: (f"{SESSIONS}:test_probe_42_",),
    43: (
        f"{PROVIDERS}:test_probe_43_",
        f"{JWT}:test_tokens_that_are_not_right",
        f"{JWT}:test_keys_that_a_token_brings_are_not_looked_at",
    ),
    44: (
        f"{PROVIDERS}:test_probe_44_",
        f"{OIDC}:test_an_answer_in_another_browser",
        f"{OIDC}:test_an_answer_of_one_provider_is_none_of_another",
    ),
    45: (
        f"{PROVIDERS}:test_probe_45_",
        f"{OIDC}:test_claims_that_are_not_right",
        f"{LOGOUT}:test_logout_tokens_that_are_not_right",
    ),
    46: (f"{FRONTEND}:test_probes_8_9_10_46_", f"{OIDC}:test_nothing_that_is_secret_stands_in_an_address"),
    47: (f"{LOG}:test_probes_47_48_", f"{LOG}:test_probe_47_"),
    48: (f"{LOG}:test_probes_47_48_",),
    49: (f"{LOG}:test_probe_49_",),
}


def test_there_are_49() -> None:
    assert list(PROBES) == list(range(1, 50))


@pytest.mark.parametrize("number", PROBES)
def test_a_probe_is_held_by_a_test(number: int) -> None:
    for place in PROBES[number]:
        module, _, name = place.partition(":")
        source = (ROOMS / f"{module}.py").read_text(encoding="utf-8")
        assert re.search(rf"^def {re.escape(name)}", source, re.MULTILINE), place
