"""The certificate authorities that downloads trust, for libcurl and requests alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi

from ..errors import InputError

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
FOLDER = "SSL_CERT_DIR"


@dataclass(frozen=True)
class Authorities:
    """Where certificates of authorities are.

    Attributes
    ----------
    file
        A PEM file.
    folder
        A folder of PEM files with the names that OpenSSL expects, or several, separated as in `PATH`; empty
        for none.
    variable
        The variable that names the file; empty for the file of certifi.
    """

    file: str
    folder: str = ""
    variable: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Authorities:
        """Read the variables of requests, curl and OpenSSL, in this order.

        A file replaces the usual authorities (those of certifi); folders are added.
        """
        bundle = next((name for name in BUNDLES if environment.get(name)), "")
        file, folder = environment.get(bundle, ""), environment.get(FOLDER, "")
        if file and Path(file).is_dir():
            file, folder = "", file
        return cls(file or certifi.where(), folder, bundle)

    def check(self) -> None:
        """Check that the file holds certificates.

        Raises
        ------
        InputError
            If it does not, or cannot be read; the message names the variable.
        """
        why = ""
        try:
            if b"-----BEGIN " not in Path(self.file).read_bytes():
                why = "it is no PEM file"
        except OSError as error:
            why = error.strerror or str(error)
        if why:
            raise InputError(
                f"The certificates of {self.variable or 'certifi'} cannot be loaded from {self.file} "
                f"({why}). Correct or unset the variable, and run again."
            )
