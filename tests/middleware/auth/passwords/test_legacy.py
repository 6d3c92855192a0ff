"""It verifies the hashes of other programs, and says why it does not."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prerequisites import lacking

from wheatpaste.middleware.auth.passwords import legacy

# Published: Apache's "Password Formats", the tests of crypt_blowfish, Drepper's "Unix crypt using SHA-256 and SHA-512",
# and AuthKit's own test; {SSHA} was made by slappasswd's method with the salt "saltsalt".
VECTORS = {
    "Apache's SHA": ("myPassword", "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="),
    "Apache's MD5": ("myPassword", "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"),
    "Apache's bcrypt": ("myPassword", "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC"),
    "bcrypt 2a": ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    "bcrypt 2b": ("U*U*", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    "openssl's apr1": ("password1", "$apr1$abcdefgh$QLvgL9Maogn2kBtlvaQ0J."),
    "openssl's SHA-256": ("password1", "$5$abcdefgh$Vp2z2BDL9xUw2ZjVagDjIR2f1fxzrxp0vbK8Gksis1B"),
    "SHA-256": ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    "SHA-256 with rounds": (
        "Hello world!",
        "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA",
    ),
    "SHA-512": (
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    "SHA-512 with rounds": (
        "Hello world!",
        "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/"
        "y3RnOaw5v.",
    ),
    "LDAP's salted SHA": ("secret", "{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA=="),
    "AuthKit's MD5": ("password1", "{AUTHKIT-MD5}9406649867375c79247713a7fb81edf0:some secret string"),
    "plain": ("pass: word", "{PLAIN}pass: word"),
}


@pytest.mark.parametrize(("password", "encoded"), VECTORS.values(), ids=VECTORS)
def test_it_verifies_published_hashes(password: str, encoded: str) -> None:
    assert legacy.complaint_about(encoded) is None
    assert legacy.verify(encoded, password.encode())


@pytest.mark.parametrize(("password", "encoded"), VECTORS.values(), ids=VECTORS)
@pytest.mark.parametrize("change", [lambda p: p + "x", lambda p: p[:-1], lambda p: p.swapcase(), lambda p: p + "\0x"])
def test_it_refuses_what_is_nearly_the_password(password: str, encoded: str, change: object) -> None:
    assert not legacy.verify(encoded, change(password).encode())  # type: ignore[operator]


REFUSED = {
    "DES crypt": ("rqXexS6ZhobKA", "is of DES crypt, which every guesser computes by the billion"),
    "BSD's DES": ("_J9..rasmBYk8r9AiWNc", "is of DES crypt"),
    "the broken bcrypt": ("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "confuses passwords"),
    "a locked account": ("!$6$saltstring$svn8", "is that of a locked account"),
    "no password": ("", "is that of a locked account"),
    "plain text": ("sesame-street", "is of no kind that is known here"),
    "a costly bcrypt": ("$2y$31$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", "has the bcrypt cost 31"),
    "endless rounds": ("$5$rounds=999999999$salt$" + "a" * 43, "asks for more than 1000000 rounds"),
    "half a hash": ("$6$saltstring$svn8UoSV", "is of no kind that is known here"),
    "{SHA} of another length": ("{SHA}VBPuJHI7uixaa6LQGWx4s+5GKN==", "is of no kind that is known here"),
}


@pytest.mark.parametrize(("encoded", "reason"), REFUSED.values(), ids=REFUSED)
def test_it_says_why_nobody_can_log_in_with_a_hash(encoded: str, reason: str) -> None:
    assert reason in (legacy.complaint_about(encoded) or "")
    assert not legacy.verify(encoded, b"sesame-street")
    assert not legacy.verify(encoded, encoded.encode())


def test_a_hash_never_is_its_own_password() -> None:
    for password, encoded in VECTORS.values():
        assert not legacy.verify(encoded, encoded.encode()), password


def test_the_73rd_byte_of_a_bcrypt_password_counts() -> None:
    whole = "x" * 72
    encoded = legacy.bcrypt_hash(whole.encode(), 4)
    assert legacy.verify(encoded, whole.encode())
    assert not legacy.verify(encoded, (whole + "y").encode())
    with pytest.raises(ValueError, match="72 bytes"):
        legacy.bcrypt_hash((whole + "y").encode(), 4)
    with pytest.raises(ValueError, match="NUL"):
        legacy.bcrypt_hash(b"secret\0more", 4)


@given(st.text(), st.binary(max_size=100))
def test_it_raises_for_no_text_and_no_password(encoded: str, password: bytes) -> None:
    legacy.complaint_about(encoded)
    legacy.verify(encoded, password)


@given(
    st.sampled_from(["$apr1$", "$1$", "$5$", "$6$", "$2y$04$", "{SHA}", "{SSHA}", "{PLAIN}", "{AUTHKIT-MD5}"]),
    st.text(alphabet="abcXYZ019./$+={}:é", max_size=90),
)
def test_it_raises_for_nothing_that_begins_as_a_hash(head: str, rest: str) -> None:
    legacy.complaint_about(head + rest)
    assert not legacy.verify(head + rest, b"\xff") or head == "{PLAIN}"


PROGRAMS = {
    "htpasswd -m": ["htpasswd", "-nbm", "ada"],
    "htpasswd -B": ["htpasswd", "-nbB", "-C", "4", "ada"],
    "htpasswd -s": ["htpasswd", "-nbs", "ada"],
    "htpasswd -2": ["htpasswd", "-nb2", "ada"],
    "htpasswd -5": ["htpasswd", "-nb5", "-r", "2000", "ada"],
    "openssl -1": ["openssl", "passwd", "-1"],
    "openssl -apr1": ["openssl", "passwd", "-apr1"],
    "openssl -5": ["openssl", "passwd", "-5"],
    "openssl -6": ["openssl", "passwd", "-6"],
}


@pytest.mark.slow
@pytest.mark.parametrize("password", ["a", "pass word", "grüße–привет", "x" * 60, "$apr1$", "-_:"])
@pytest.mark.parametrize("argv", PROGRAMS.values(), ids=PROGRAMS)
def test_it_verifies_what_other_programs_make(argv: list[str], password: str) -> None:
    if shutil.which(argv[0]) is None:
        lacking(argv[0])
    if argv[0] == "openssl":
        done = subprocess.run([*argv, "-stdin"], input=password + "\n", capture_output=True, text=True, check=True)
    else:
        done = subprocess.run([*argv, password], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip("this htpasswd does not know the option")
    encoded = done.stdout.strip().rpartition(":")[2]
    assert legacy.verify(encoded, password.encode())
    assert not legacy.verify(encoded, (password + "x").encode())
