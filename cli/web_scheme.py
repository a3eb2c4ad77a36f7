"""Whether a stack's pages come over HTTPS, told from the variables of its processes."""

from __future__ import annotations

from collections.abc import Mapping


def web_scheme(service: str, environment: Mapping[str, str]) -> str:
    """ "https" or "http": as captions or collector will serve its pages."""
    prefix = f"GLOSSA_{service.upper()}"
    has_own_file = bool(environment.get(f"{prefix}_WEB_CERTIFICATE_FILE"))
    names = (f"{prefix}_CERTIFICATES_DIR", "GLOSSA_CERTIFICATES_DIR")
    has_certificates = any(environment.get(name) for name in names)
    is_off = environment.get(f"{prefix}_WEB_TLS") == "off"
    return "https" if has_own_file or (has_certificates and not is_off) else "http"
