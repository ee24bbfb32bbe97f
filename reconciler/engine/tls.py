"""I/O: TLS to an Engine: reads the files that a host names, and says what is wrong with them or with the other side."""

import contextlib
import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from reconciler.engine.errors import Trouble, chain, is_hang_up, one_line
from reconciler.engine.files import UnusableFile, read_file

SPEAKS_TLS = "speaks TLS, and was asked without"

_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"})
_ALERT = re.compile(r".*[_ ]ALERT[_ ]", re.IGNORECASE)
# OpenSSL's numbers for errors of verification, from x509_vfy.h
_NOT_YET_VALID, _EXPIRED = 9, 10
_OF_ANOTHER_CA = frozenset({2, 7, 18, 19, 20, 21})
_OF_ANOTHER_NAME = frozenset({62, 64})
# RFC 8446, section 6.2; a Go daemon before 1.21 calls all of them a bad certificate
_ABOUT_THE_CLIENT = frozenset(
    {
        "access denied",
        "bad certificate",
        "certificate expired",
        "certificate required",
        "certificate revoked",
        "certificate unknown",
        "decrypt error",
        "handshake failure",
        "unknown ca",
        "unsupported certificate",
    }
)


_CA, _CERT, _KEY = "the CA", "the client's certificate", "the client's key"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files for a verified TLS connection; without `cert` and `key` the client shows no certificate.

    If there is a root, only files below it are read.
    """

    ca: Path
    cert: Path | None = None
    key: Path | None = None
    root: Path | None = None


def context_of(files: TlsFiles | None) -> ssl.SSLContext:
    """Return a context that verifies the server against these files, or the system's CAs. Raises Trouble."""
    if files is None:
        return ssl.create_default_context()
    # not the default context: in Python 3.13 it refuses certificates that are made by Docker's own instructions
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        _load_ca(context, files.ca, read_file(files.ca, _CA, files.root))
        if files.cert and files.key:
            pair = read_file(files.cert, _CERT, files.root), read_file(files.key, _KEY, files.root)
            _load_pair(context, files.cert, files.key, *pair)
    except UnusableFile as error:
        raise _unusable(str(error)) from error
    if bool(files.cert) != bool(files.key):
        raise _unusable(f"{_shown(files.cert or files.key)} is named without its counterpart")
    return context


def _load_ca(context: ssl.SSLContext, path: Path, pem: bytes) -> None:
    try:
        # what is not ASCII is no certificate, but a remark beside one
        context.load_verify_locations(cadata=pem.decode("ascii", errors="ignore"))
    except (ssl.SSLError, ValueError) as error:
        raise _unusable(_certificate_defect(path, _CA, pem), error) from error


def _load_pair(context: ssl.SSLContext, cert: Path, key: Path, cert_pem: bytes, key_pem: bytes) -> None:
    try:
        with _as_file(cert_pem) as cert_file, _as_file(key_pem) as key_file:
            # without any password OpenSSL would ask for one on the terminal, and wait
            context.load_cert_chain(cert_file, key_file, password="")
    except (ssl.SSLError, ValueError) as error:
        defect = _certificate_defect(cert, _CERT, cert_pem) or _key_defect(key, key_pem)
        raise _unusable(defect or f"{_shown(cert)} and {_shown(key)} do not fit together", error) from error


@contextlib.contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """Put what was read into a file in memory, because OpenSSL reads keys from files only. It never reaches a disk."""
    descriptor = os.memfd_create("pem")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"


def tls_words(error: BaseException, files: TlsFiles | None, name: str) -> str:
    """Return in words what an error of a TLS connection to a server called `name` means, or nothing."""
    now = datetime.now(UTC)
    found = next((link for link in chain(error) if isinstance(link, ssl.SSLError)), None)
    if isinstance(found, ssl.SSLEOFError) or (found is None and is_hang_up(error)):
        # a daemon that refuses our certificate may hang up before we have read its alert
        dates = _dates(files, files.cert, now) if files else ""
        return f"refused {_shown(files.cert)} ({_CERT}): it {dates}" if files and dates else ""
    if found is None:
        return ""
    if isinstance(found, ssl.SSLCertVerificationError):
        return _server_words(found, files, name, now)
    reason = found.reason or ""
    if reason.upper().replace(" ", "_") in _NO_TLS:
        return "does not speak TLS"
    alert = _ALERT.sub("", reason).replace("_", " ").lower()
    if alert in _ABOUT_THE_CLIENT:
        return _client_words(alert, files, now)
    return f"failed over TLS: {one_line(alert or str(found))}"


def _server_words(error: ssl.SSLCertVerificationError, files: TlsFiles | None, name: str, now: datetime) -> str:
    """Return in words why the server's certificate was refused."""
    ca = files.ca if files else None
    if error.verify_code in _OF_ANOTHER_CA:
        trusted = f"the CA in {_shown(ca)}" if ca else "any CA that this machine trusts"
        return f"shows a certificate that is not signed by {trusted}"
    if error.verify_code in _OF_ANOTHER_NAME:
        return f"shows a certificate that is not for {name}"
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        if files and (dates := _dates(files, ca, now)):
            return f"cannot be verified: {_shown(ca)} ({_CA}) {dates}"
        fault = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        return f"shows a certificate that {fault}"
    return f"shows a certificate that cannot be verified: {error.verify_message}"


def _client_words(alert: str, files: TlsFiles | None, now: datetime) -> str:
    """Return in words why the server refused the client's certificate."""
    if files is None or files.cert is None:
        return f"demands a client certificate, and none is named (TLS alert: {alert})"
    fault = f"it {dates}" if (dates := _dates(files, files.cert, now)) else "it is not one that this Engine's CA signed"
    return f"refused {_shown(files.cert)} ({_CERT}): {fault} (TLS alert: {alert})"


def _dates(files: TlsFiles, path: Path | None, now: datetime) -> str:
    """Return in words how the dates of a file's first certificate are wrong, or nothing."""
    if path is None:
        return ""
    try:
        certificate = x509.load_pem_x509_certificate(read_file(path, "", files.root))
    except (UnusableFile, ValueError):
        return ""
    if now > certificate.not_valid_after_utc:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if now < certificate.not_valid_before_utc:
        return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    return ""


def _unusable(defect: str, error: Exception | None = None) -> Trouble:
    words = defect or one_line((getattr(error, "reason", None) or str(error)).replace("_", " ").lower())
    return Trouble(f"cannot be asked over TLS: {words}")


def _certificate_defect(path: Path, role: str, pem: bytes) -> str:
    """Return in words what is wrong with a file of certificates, or nothing."""
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        return f"{_shown(path)} ({role}) holds no PEM certificate"
    return ""


def _key_defect(path: Path, pem: bytes) -> str:
    """Return in words what is wrong with a file of a key, or nothing."""
    if b"PRIVATE KEY-----" not in pem:
        return f"{_shown(path)} ({_KEY}) holds no PEM key"
    return f"{_shown(path)} ({_KEY}) is encrypted, and nobody is here to decrypt it" if b"ENCRYPTED" in pem else ""


def _shown(path: Path | None) -> str:
    return one_line(str(path))
