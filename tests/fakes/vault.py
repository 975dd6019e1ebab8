"""Vault's Transit engine on the wire, as hvac speaks to it: keys with versions, encrypt, decrypt, rotate.

Written after the engine's HTTP interface (https://developer.hashicorp.com/vault/api-docs/secret/transit); no server is
to be had from the package registries. Ciphertexts are real AES-256-GCM with the associated data bound, so that what
Vault would refuse is refused here.
"""

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class FakeVault:
    """What the server holds, and how it misbehaves when told to."""

    def __init__(self) -> None:
        self.token = "s.marker-vault-token"
        self.url = ""
        self.is_sealed = False
        self.keys: dict[str, dict[int, AESGCM]] = {}
        self.oldest: dict[str, int] = {}

    def answer(self, method: str, path: str, body: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer."""
        if self.is_sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if token != self.token:
            return 403, {"errors": ["permission denied"]}
        mount, _, rest = path.removeprefix("/v1/").partition("/")
        if mount != "transit":
            return 404, {"errors": ["no handler for route"]}
        what, _, name = rest.partition("/")
        if what == "keys":
            return self._key(method, name, body)
        return self._encrypt(name, body) if what == "encrypt" else self._decrypt(name, body)

    def _key(self, method: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name, _, action = name.partition("/")
        versions = self.keys.setdefault(name, {}) if method != "GET" else self.keys.get(name, {})
        if action == "config":
            self.oldest[name] = int(body["min_decryption_version"])
        elif action == "rotate" or (method != "GET" and not versions):
            versions[len(versions) + 1] = AESGCM(secrets.token_bytes(32))
        return 200, {"data": {"name": name, "latest_version": len(versions), "type": "aes256-gcm96"}}

    def _encrypt(self, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        version = len(self.keys[name])
        nonce = secrets.token_bytes(12)
        bound = base64.b64decode(body.get("associated_data", ""))
        sealed = self.keys[name][version].encrypt(nonce, base64.b64decode(body["plaintext"]), bound)
        return 200, {"data": {"ciphertext": f"vault:v{version}:{base64.b64encode(nonce + sealed).decode()}"}}

    def _decrypt(self, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        try:
            _, version, encoded = body["ciphertext"].split(":")
            number, raw = int(version[1:]), base64.b64decode(encoded)
            if number < self.oldest.get(name, 1):
                return 400, {"errors": ["ciphertext version is disallowed by policy (too old)"]}
            bound = base64.b64decode(body.get("associated_data", ""))
            opened = self.keys[name][number].decrypt(raw[:12], raw[12:], bound)
        except (ValueError, KeyError, InvalidTag):
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(opened).decode()}}


@contextmanager
def fake_vault() -> Iterator[FakeVault]:
    """A server on a port of its own."""
    vault = FakeVault()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            status, told = vault.answer(self.command, self.path, body, self.headers.get("X-Vault-Token", ""))
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _do  # noqa: N815 (the server's names)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    vault.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=60)
