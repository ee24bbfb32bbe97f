"""Certificates for tests: a real authority, and the valid and invalid certificates that it signs."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.engine import TlsFiles

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
LONG_AGO, YESTERDAY, TOMORROW, FAR = NOW - 9 * DAY, NOW - DAY, NOW + DAY, NOW + 9 * DAY
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


class Authority:
    """A certificate authority of our own, in a folder."""

    def __init__(self, folder: Path, *, name: str = "test-ca", until: datetime = FAR) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.ca = folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._certificate(name, self._key, LONG_AGO, until)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._write(self.ca, made)

    def issue(self, name: str, *, since: datetime = YESTERDAY, until: datetime = TOMORROW) -> None:
        """Write NAME.pem, for 127.0.0.1, and NAME-key.pem."""
        key = ec.generate_private_key(ec.SECP256R1())
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        made = self._certificate(name, key, since, until)
        made = made.add_extension(x509.SubjectAlternativeName([LOOPBACK]), critical=False)
        self._write(self.folder / f"{name}.pem", made.add_extension(x509.ExtendedKeyUsage(purposes), critical=False))
        self.write_key(self.folder / f"{name}-key.pem", key, serialization.NoEncryption())

    def files(self, name: str) -> TlsFiles:
        """Return the files with which a client of that name connects."""
        return TlsFiles(ca=self.ca, cert=self.folder / f"{name}.pem", key=self.folder / f"{name}-key.pem")

    @staticmethod
    def write_key(
        path: Path, key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption
    ) -> None:
        encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        path.write_bytes(key.private_bytes(*encoding, encryption))

    def _certificate(
        self, name: str, key: ec.EllipticCurvePrivateKey, since: datetime, until: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
        )

    def _write(self, path: Path, made: x509.CertificateBuilder) -> None:
        path.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
