"""A real slapd with a few people and groups, for tests that ask a directory."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import trustme
from prerequisites import lacking
from running_server import free_port

ADMIN, ADMIN_PASSWORD = "cn=admin,dc=example,dc=org", "the admin's word"
SEARCHER, SEARCHER_PASSWORD = "cn=wiki,dc=example,dc=org", "the wiki's word"

CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
{policy}
database mdb
suffix "dc=example,dc=org"
rootdn "{admin}"
rootpw "{password}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by users read
"""

PEOPLE = """\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=wiki,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: wiki
userPassword: the wiki's word

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: uid=Bob,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: Bob
cn: Bob B.
sn: B
mail: bob@example.org
userPassword: gelbe Ampel

dn: uid=jos\u00e9 (the \\2C one),ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: jos\u00e9 (the , one)
cn: Jos\u00e9
sn: J
userPassword: gelbe Ampel

dn: uid=twice,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: twice
cn: One
sn: T
userPassword: gelbe Ampel

dn: cn=Two,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: twice
cn: Two
sn: T
userPassword: gelbe Ampel

dn: uid=nopass,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: nopass
cn: Nobody
sn: N

dn: cn=staff,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: staff
member: uid=Bob,ou=people,dc=example,dc=org
member: uid=jos\u00e9 (the \\2C one),ou=people,dc=example,dc=org

dn: cn=unix,ou=groups,dc=example,dc=org
objectClass: posixGroup
cn: unix
gidNumber: 1
memberUid: Bob

dn: cn=others,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: others
member: uid=twice,ou=people,dc=example,dc=org
"""


@dataclass
class LdapServer:
    """A directory that runs."""

    folder: Path
    port: int
    tls_port: int
    process: Popen[bytes]

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def change(self, ldif: str) -> None:
        """Change entries, as an administrator does."""
        subprocess.run(
            ["ldapmodify", "-x", "-H", self.url, "-D", ADMIN, "-w", ADMIN_PASSWORD],
            input=ldif.encode(),
            capture_output=True,
            timeout=20,
            check=True,
        )

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


@contextlib.contextmanager
def ldap_server(folder: Path, policy: str = "allow bind_anon_dn") -> Iterator[LdapServer]:
    """A directory for some tests, which takes a name without a password for nobody, unless ``policy`` is another."""
    slapd = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if slapd is None or shutil.which("ldapmodify") is None:
        lacking("slapd with ldap-utils")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    # libldap takes "localhost" for the name that the machine has, and wants a common name whatever the host is.
    certificate = authority.issue_cert("127.0.0.1", common_name="directory")
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
    (folder / "data").mkdir()
    configuration = folder / "slapd.conf"
    configuration.write_text(
        CONFIGURATION.format(policy=policy, folder=folder, admin=ADMIN, password=ADMIN_PASSWORD), encoding="utf-8"
    )
    (folder / "people.ldif").write_text(PEOPLE, encoding="utf-8")
    subprocess.run(
        ["/usr/sbin/slapadd", "-f", str(configuration), "-l", str(folder / "people.ldif")],
        check=True,
        capture_output=True,
        timeout=60,
    )
    port, tls_port = free_port(), free_port()
    listen = f"ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/"
    with (folder / "slapd.log").open("wb") as log:
        process = Popen([slapd, "-f", str(configuration), "-h", listen, "-d", "0"], stdout=log, stderr=log)
    server = LdapServer(folder, port, tls_port, process)
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "slapd.log").read_text(errors="replace"))
            time.sleep(0.02)
        yield server
    finally:
        server.stop()
