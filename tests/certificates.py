"""Certificates for tests, made with openssl."""

import subprocess
from pathlib import Path

from tests.parts import program


class Certificates:
    """A certificate authority, which issues certificates, and another one."""

    def __init__(self, folder: Path) -> None:
        self._openssl = program("openssl")
        self._folder = folder
        self.authority = self._make("authority", "/CN=Acme CA", "-addext", "basicConstraints=critical,CA:TRUE")
        self.other_authority = self._make("other", "/CN=Other CA", "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name: str, *names: str) -> Path:
        """A certificate for these subject alternative names; its key is beside it."""
        signed = ("-CA", str(self.authority), "-CAkey", str(self.key_of(self.authority)))
        extra = ("-addext", f"subjectAltName={','.join(names)}") if names else ()
        return self._make(name, f"/CN={name}", *signed, *extra)

    @staticmethod
    def key_of(certificate: Path) -> Path:
        """The key of a certificate."""
        return certificate.with_suffix(".key")

    def _make(self, name: str, subject: str, *options: str) -> Path:
        path = self._folder / f"{name}.pem"
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(self.key_of(path)))
        command = [self._openssl, "req", "-x509", *key, "-days", "2", "-subj", subject, "-out", str(path), *options]
        subprocess.run(command, check=True, capture_output=True)
        self.key_of(path).chmod(0o600)
        return path
