"""The organisation's identity provider, over OpenID Connect: where to send a browser, and who it says came back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import structlog
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from requests import RequestException

from parlour.admin.signin.errors import NotVouchedFor, ProviderAway
from parlour.admin.signin.handshake import Handshake

if TYPE_CHECKING:
    from authlib.oauth2.claims import ClaimsOption

log = structlog.get_logger(__name__)

BACK: Final = "/admin/oidc/back"
SCOPES: Final = "openid email profile"
# Never `none`, and nothing that whoever knows the client's secret could sign.
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
# A browser waits meanwhile.
_PATIENCE_S: Final = (5.0, 10.0)
_METADATA_KEPT: Final = timedelta(hours=1)
# How far the provider's clock may be off.
_LEEWAY_S: Final = 60
_LONGEST_SUBJECT: Final = 255
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class Client:
    """What this installation is registered as with the provider."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_url: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says somebody is. `email` is for people to read; only `subject` is theirs for good."""

    issuer: str
    subject: str
    email: str | None
    is_email_verified: bool
    claims: Mapping[str, Any]


class IdentityProvider:
    """One provider, found by its issuer. Asked for its addresses once an hour, for its keys when there is a new one."""

    def __init__(self, client: Client, *, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._lock = Lock()
        self._metadata: dict[str, Any] = {}
        self._read_at = float("-inf")
        self._keys: KeySet | None = None

    def address(self, handshake: Handshake) -> str:
        """Where the browser goes to sign in there. Raises `ProviderAway`."""
        with self._session() as session:
            url, _ = session.create_authorization_url(
                self._told()["authorization_endpoint"],
                state=handshake.state,
                nonce=handshake.nonce,
                code_verifier=handshake.verifier,
            )
        return str(url)

    def identify(self, code: str, handshake: Handshake, *, issuer: str | None = None) -> Identity:
        """Whom the code that came back stands for. Raises `ProviderAway`, `NotVouchedFor`.

        `issuer` is who the answer says it is from (RFC 9207); providers that announce it must say it.
        """
        metadata = self._told()
        is_announced = bool(metadata.get("authorization_response_iss_parameter_supported"))
        if issuer != self._client.issuer and (issuer is not None or is_announced):
            raise NotVouchedFor("The answer is from another provider.")
        tokens = self._exchange(metadata, code, handshake)
        claims = self._checked(tokens, handshake)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject) <= _LONGEST_SUBJECT:
            raise NotVouchedFor("The identity token names nobody.")
        if "email" not in claims:
            claims = {**self._more(metadata, tokens, subject), **claims}
        email = claims.get("email")
        return Identity(
            issuer=self._client.issuer,
            subject=subject,
            email=email if isinstance(email, str) else None,
            # Some providers write it as a word.
            is_email_verified=claims.get("email_verified") in {True, "true"},
            claims=claims,
        )

    # ---- asking ----

    def _session(self) -> OAuth2Session:
        return OAuth2Session(
            self._client.client_id,
            self._client.client_secret,
            scope=SCOPES,
            redirect_uri=self._client.redirect_url,
            code_challenge_method="S256",
            default_timeout=_PATIENCE_S,
        )

    def _get(self, url: str) -> dict[str, Any]:
        try:
            with self._session() as session:
                answer = session.request("GET", url, withhold_token=True, allow_redirects=False)
            answer.raise_for_status()
            told = answer.json()
        except (RequestException, ValueError) as error:
            raise self._away(error) from None
        if answer.is_redirect or not isinstance(told, dict):
            raise self._away(TypeError())
        return told

    def _told(self) -> dict[str, Any]:
        """What the provider says of itself. Raises `ProviderAway`, also where it is not whom the settings name."""
        with self._lock:
            if monotonic() - self._read_at < _METADATA_KEPT.total_seconds():
                return self._metadata
        told = self._get(get_well_known_url(self._client.issuer, external=True))
        safe = {"https", urlsplit(self._client.issuer).scheme}
        if told.get("issuer") != self._client.issuer:
            raise ProviderAway("The provider calls itself otherwise than PARLOUR_OIDC__ISSUER does.")
        if any(urlsplit(str(told.get(name, ""))).scheme not in safe for name in _ENDPOINTS):
            raise ProviderAway("The provider does not say where to go, or says it unsafely.")
        with self._lock:
            self._metadata, self._read_at = told, monotonic()
        return told

    def _key_set(self, *, anew: bool = False) -> KeySet:
        with self._lock:
            known = self._keys
        if known is not None and not anew:
            return known
        told = self._get(self._told()["jwks_uri"])
        try:
            found = KeySet.import_key_set(told)  # type: ignore[arg-type] # whatever it is, it is checked there
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise self._away(error) from None
        with self._lock:
            self._keys = found
        return found

    def _exchange(self, metadata: Mapping[str, Any], code: str, handshake: Handshake) -> dict[str, Any]:
        try:
            with self._session() as session:
                tokens = session.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=handshake.verifier,
                    redirect_uri=self._client.redirect_url,
                    allow_redirects=False,
                )
        except OAuthError as error:
            # A code that was used, is past its time or is nobody's; or a secret of ours that is not right.
            log.warning("oidc_code_refused", reason=str(error.error)[:40])
            raise NotVouchedFor("The provider does not take the code.") from None
        except (RequestException, ValueError) as error:
            raise self._away(error) from None
        return dict(tokens)

    def _more(self, metadata: Mapping[str, Any], tokens: Mapping[str, Any], subject: str) -> dict[str, Any]:
        """What the provider says of the person apart from the identity token; nothing where it says nothing."""
        url = metadata.get("userinfo_endpoint")
        if not url or "access_token" not in tokens:
            return {}
        try:
            with self._session() as session:
                session.token = tokens
                answer = session.request("GET", url, allow_redirects=False)
            answer.raise_for_status()
            told = answer.json()
        except (RequestException, ValueError, OAuthError) as error:
            raise self._away(error) from None
        if not isinstance(told, dict) or told.get("sub") != subject:
            raise NotVouchedFor("What the provider says of the person is about another one.")
        return told

    def _away(self, error: Exception) -> ProviderAway:
        log.warning("oidc_provider_away", error=type(error).__name__)
        return ProviderAway("The identity provider cannot be reached, or does not answer as one.")

    # ---- checking ----

    def _checked(self, tokens: Mapping[str, Any], handshake: Handshake) -> dict[str, Any]:
        """What the identity token claims, its signature, issuer, audience, times and nonce found right."""
        token = tokens.get("id_token")
        if not isinstance(token, str):
            raise NotVouchedFor("The provider handed out no identity token.")
        wanted: dict[str, ClaimsOption] = {
            "iss": {"essential": True, "value": self._client.issuer},
            # Not left to `azp`: a token for another client alone would pass that.
            "aud": {"essential": True, "value": self._client.client_id},
        }
        # The access token's hash is checked with the library's own rules where the token has one.
        given = {
            "nonce": handshake.nonce,
            "client_id": self._client.client_id,
            "access_token": tokens.get("access_token"),
        }
        try:
            decoded = self._decoded(token)
            claims = CodeIDToken(decoded.claims, decoded.header, wanted, given)
            claims.validate(now=int(self._now().timestamp()), leeway=_LEEWAY_S)
        except (JoseError, ValueError, TypeError) as error:
            log.warning("oidc_token_refused", reason=type(error).__name__, claim=getattr(error, "claim", None))
            raise NotVouchedFor("The identity token is not in order.") from None
        return dict(claims)

    def _decoded(self, token: str) -> jwt.Token:
        registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        try:
            return jwt.decode(token, self._key_set(), registry=registry)
        except (InvalidKeyIdError, BadSignatureError):
            # Signed with a key that is newer than those that are known here, or by somebody else.
            return jwt.decode(token, self._key_set(anew=True), registry=registry)
