"""A real identity provider (Canaille) as a process of its own, and somebody in its doorway who alters what it says.

    python -m tests.support.identity_provider

prints its port. People and the client are in its memory; what it hands out can be altered on its way (`Meddler`), since
no honest provider hands out a token for somebody else.
"""

import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jws, jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "parlour", "a secret of tests"
BACK = "http://parlour.test/admin/oidc/back"
PEOPLE = {"ann": "ann@example.com", "eve": "eve@elsewhere.example"}
PASSWORD = "words for a provider"


@dataclass(frozen=True)
class Provider:
    """The running provider, as a test and a browser see it."""

    address: str

    @property
    def issuer(self) -> str:
        return f"{self.address}/"

    @property
    def settings(self) -> dict[str, Any]:
        """What Parlour is told of it."""
        return {
            "issuer": self.issuer,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_url": BACK,
            "name": "Canaille",
        }

    def meddle(self, **what: Any) -> None:
        """Alter what it hands out from now on: see `Meddler`. Nothing: let it be honest again."""
        httpx.post(f"{self.address}/meddle", json=what, timeout=60).raise_for_status()

    def authorize(self, there: str, person: str) -> str:
        """Sign in there as that person, and return the address that the browser is sent back to."""
        with httpx.Client(base_url=self.address, timeout=60) as browser:
            answer = browser.get(there)
            for form in ({"login": person}, {"password": PASSWORD}):
                answer = browser.post(answer.headers["location"], data=form)
            answer = browser.get(answer.headers["location"])
        back: str = answer.headers["location"]
        assert back.startswith(BACK), back
        return back


@contextmanager
def running(log: Path) -> Iterator[Provider]:
    """The provider, until the end of the block."""
    arguments = [sys.executable, "-m", "tests.support.identity_provider"]
    with log.open("wb") as written, subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=written) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port.isdigit(), log.read_text()
            yield Provider(f"http://127.0.0.1:{int(port)}")
        finally:
            process.kill()


def code_of(back: str) -> str:
    """The code in the address that the browser is sent back to."""
    return parse_qs(urlsplit(back).query)["code"][0]


# ---- the process itself -----------------------------------------------------------------------------------------


class Meddler:
    """A WSGI application around the provider's.

    `POST /meddle` with JSON: `claims` go into the identity token (null takes one out), which is signed anew with the
    provider's key; `key: "strange"` with one that it never had; `alg: "none"` not at all; `key: "new"` replaces its key
    for good.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], config: dict[str, Any]) -> None:
        self._app = app
        self._config = config
        self._what: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/meddle":
            self._what = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            if self._what.get("key") == "new":
                self._config["ACTIVE_JWKS"] = [new_key()]
            start("204 No Content", [])
            return []
        if environ["PATH_INFO"] != "/oauth/token" or not self._what:
            return self._app(environ, start)
        told: list[Any] = []
        body = b"".join(self._app(environ, lambda *answer: told.append(answer)))
        status, headers = told[0][:2]
        if status.startswith("200"):
            body = self._altered(json.loads(body))
        start(status, [(name, value) for name, value in headers if name.lower() != "content-length"])
        return BytesIO(body)

    def _altered(self, tokens: dict[str, Any]) -> bytes:
        key = own = RSAKey.import_key(self._config["ACTIVE_JWKS"][0])
        token = jws.extract_compact(tokens["id_token"].encode())
        claims = json.loads(token.payload) | self._what.get("claims", {})
        claims = {name: value for name, value in claims.items() if value is not None}
        if self._what.get("key") == "strange":
            key = RSAKey.generate_key(2048)
        header = {"alg": self._what.get("alg", token.headers()["alg"]), "kid": own.kid}
        registry = jws.JWSRegistry(algorithms=[str(header["alg"])])
        tokens["id_token"] = jwt.encode(header, claims, key, registry=registry)
        return json.dumps(tokens).encode()


def new_key() -> Mapping[str, Any]:
    return RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)


def _serve() -> None:
    # Its own warnings are its own matter.
    warnings.simplefilter("ignore")
    from canaille import create_app  # noqa: PLC0415 (needed in the provider's process alone, and slow)
    from canaille.app import models  # noqa: PLC0415
    from canaille.backends import Backend  # noqa: PLC0415
    from canaille.backends.memory.backend import MemoryBackend  # noqa: PLC0415
    from canaille.oidc.provider import authorization  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    find = MemoryBackend.do_query

    def narrow(own: Any, model: Any, **wanted: Any) -> list[Any]:
        """Canaille 0.3.6 finds in memory what meets any condition, in databases what meets all: so another's code."""
        found = [{one.id: one for one in find(own, model, **{name: value})} for name, value in wanted.items()]
        if not found:
            return list(find(own, model))
        return [one for key, one in found[0].items() if all(key in other for other in found)]

    MemoryBackend.do_query = narrow  # type: ignore[method-assign, assignment]
    app = create_app(
        {
            "SECRET_KEY": "of a process that ends with its tests",
            "WTF_CSRF_ENABLED": False,
            "CANAILLE": {"DATABASE": "memory"},
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [new_key()]},
        }
    )
    with app.app_context():
        for name, email in PEOPLE.items():
            person = models.User(user_name=name, formatted_name=name, family_name=name, password=PASSWORD)
            person.emails = [email]
            Backend.instance.save(person)
        client = models.Client(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            client_name="Parlour",
            # In one of its trusted domains: nobody is asked for their consent.
            client_uri="http://127.0.0.1/",
            redirect_uris=[BACK],
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "email", "profile"],
            token_endpoint_auth_method="client_secret_basic",
            client_id_issued_at=datetime.now(UTC),
        )
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
        # It offers this way of authenticating without having it, and breaks on a wrong secret, which is to be refused.
        authorization.register_client_auth_method("client_assertion_jwt", lambda *_: None)
    app.wsgi_app = Meddler(app.wsgi_app, app.config["CANAILLE_OIDC"])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    _serve()
