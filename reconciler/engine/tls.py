"""I/O: TLS to an Engine: reads the files that a host names, and says what is wrong with them or with the other side."""

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from reconciler.engine.errors import Trouble, chain, is_hang_up

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


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files for a verified TLS connection; without `cert` and `key` the client shows no certificate."""

    ca: Path
    cert: Path | None = None
    key: Path | None = None


def context_of(files: TlsFiles | None) -> ssl.SSLContext:
    """Return a context that verifies the server against these files, or the system's CAs. Raises Trouble."""
    if files is None:
        return ssl.create_default_context()
    # not the default context: in Python 3.13 it refuses certificates that are made by Docker's own instructions
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(files.ca)
    except OSError as error:
        raise _unusable(_certificate_defect(files.ca, "the CA"), error) from error
    if files.cert and files.key:
        try:
            # without any password OpenSSL would ask for one on the terminal, and wait
            context.load_cert_chain(files.cert, files.key, password="")
        except OSError as error:
            raise _unusable(_pair_defect(files.cert, files.key), error) from error
    elif files.cert or files.key:
        raise Trouble(f"cannot be asked over TLS: {files.cert or files.key} is named without its counterpart")
    return context


def tls_words(error: BaseException, files: TlsFiles | None, name: str) -> str:
    """Return in words what an error of a TLS connection to a server called `name` means, or nothing."""
    now = datetime.now(UTC)
    found = next((link for link in chain(error) if isinstance(link, ssl.SSLError)), None)
    if isinstance(found, ssl.SSLEOFError) or (found is None and is_hang_up(error)):
        # a daemon that refuses our certificate may hang up before we have read its alert
        dates = _dates(files.cert, now) if files and files.cert else ""
        return f"refused {files.cert} (the client's certificate): it {dates}" if files and dates else ""
    if found is None:
        return ""
    if isinstance(found, ssl.SSLCertVerificationError):
        return _server_words(found, files, name, now)
    reason = found.reason or ""
    if reason.upper().replace(" ", "_") in _NO_TLS:
        return "does not speak TLS"
    alert = _ALERT.sub("", reason).replace("_", " ").lower()
    return _client_words(alert, files, now) if alert in _ABOUT_THE_CLIENT else f"failed over TLS: {alert or found}"


def _server_words(error: ssl.SSLCertVerificationError, files: TlsFiles | None, name: str, now: datetime) -> str:
    """Return in words why the server's certificate was refused."""
    ca = files.ca if files else None
    if error.verify_code in _OF_ANOTHER_CA:
        trusted = f"the CA in {ca}" if ca else "any CA that this machine trusts"
        return f"shows a certificate that is not signed by {trusted}"
    if error.verify_code in _OF_ANOTHER_NAME:
        return f"shows a certificate that is not for {name}"
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        if ca and (dates := _dates(ca, now)):
            return f"cannot be verified: {ca} (the CA) {dates}"
        fault = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        return f"shows a certificate that {fault}"
    return f"shows a certificate that cannot be verified: {error.verify_message}"


def _client_words(alert: str, files: TlsFiles | None, now: datetime) -> str:
    """Return in words why the server refused the client's certificate."""
    if files is None or files.cert is None:
        return f"demands a client certificate, and none is named (TLS alert: {alert})"
    fault = f"it {dates}" if (dates := _dates(files.cert, now)) else "it is not one that this Engine's CA signed"
    return f"refused {files.cert} (the client's certificate): {fault} (TLS alert: {alert})"


def _dates(path: Path, now: datetime) -> str:
    """Return in words how the dates of a file's first certificate are wrong, or nothing."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return ""
    if now > certificate.not_valid_after_utc:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if now < certificate.not_valid_before_utc:
        return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    return ""


def _unusable(defect: str, error: OSError) -> Trouble:
    words = defect or (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
    return Trouble(f"cannot be asked over TLS: {words}")


def _pair_defect(cert: Path, key: Path) -> str:
    """Return in words what is wrong with a certificate and its key."""
    return (
        _certificate_defect(cert, "the client's certificate")
        or _key_defect(key)
        or f"{cert} and {key} do not fit together"
    )


def _certificate_defect(path: Path, role: str) -> str:
    """Return in words what is wrong with a file of certificates, or nothing."""
    data = _read(path, role)
    if isinstance(data, str):
        return data
    try:
        x509.load_pem_x509_certificates(data)
    except ValueError:
        return f"{path} ({role}) holds no PEM certificate"
    return ""


def _key_defect(path: Path) -> str:
    """Return in words what is wrong with a file of a key, or nothing."""
    data = _read(path, "the client's key")
    if isinstance(data, str):
        return data
    if b"PRIVATE KEY-----" not in data:
        return f"{path} (the client's key) holds no PEM key"
    return f"{path} (the client's key) is encrypted, and nobody is here to decrypt it" if b"ENCRYPTED" in data else ""


def _read(path: Path, role: str) -> bytes | str:
    """Return a file's bytes, or in words why it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return f"there is no file {path} ({role})"
    except OSError as error:
        return f"{path} ({role}) cannot be read: {(error.strerror or str(error)).lower()}"
