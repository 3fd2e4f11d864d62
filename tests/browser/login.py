"""A log-in as companies have one: an OpenID Connect provider that lets everybody in as Anna."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

ANNA = "anna@acme.example"
CLIENT = "oeeflow"


@contextmanager
def provider(port: int) -> Iterator[str]:
    """The provider, for the time of the block; where its description is."""
    address, key, nonces = f"http://127.0.0.1:{port}", RSAKey.generate_key(2048, {"kid": "1", "use": "sig"}), {}

    async def description(request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": address,
                "authorization_endpoint": f"{address}/authorize",
                "token_endpoint": f"{address}/token",
                "jwks_uri": f"{address}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def authorize(request: Request) -> Response:
        asked = request.query_params
        nonces["code"] = asked.get("nonce")
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': 'code', 'state': asked['state']})}")

    async def token(request: Request) -> Response:
        now = int(time.time())
        claims = {
            "iss": address, "sub": "17", "aud": CLIENT, "iat": now, "exp": now + 600, "nonce": nonces["code"],
            "email": ANNA, "email_verified": True, "groups": ["shift-leads"],
        }  # fmt: skip
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, key)
        return JSONResponse({"access_token": "none", "token_type": "Bearer", "expires_in": 600, "id_token": signed})

    async def keys(request: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False)]})

    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", description),
            Route("/authorize", authorize),
            Route("/token", token, methods=["POST"]),
            Route("/keys", keys),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"{address}/.well-known/openid-configuration"
    finally:
        server.should_exit = True
        thread.join()


def settings(path: Path, dashboard: str, described: str) -> Path:
    """The file that the dashboard is given."""
    path.write_text(
        f"""
[auth]
redirect_uri = "{dashboard}/oauth2callback"
cookie_secret = "a long text that nobody guesses, of more than thirty-two bytes"
client_id = "{CLIENT}"
client_secret = "a secret of the provider"
server_metadata_url = "{described}"
""",
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path
