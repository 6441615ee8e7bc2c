"""Keys and tokens at the running server: auth_test.py <server>. PyJWT signs, so the verifier is not tested with itself.
# needs: jwt cryptography
"""

import os
import signal
import sys
import tempfile
import time

import jwt
import server_fixture
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

PROMPT = {"prompt": "Once", "max_tokens": 1}


def bearer(key: str) -> dict:
    return {"headers": {"Authorization": f"Bearer {key}"}}


def test_keys_guard_all_but_health(program: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "keys")
        with open(path, "w", encoding="utf-8") as file:
            file.write("alice-0123456789abc alice admin\nbob-00123456789abcd bob rate=6\n")
        with server_fixture.Server(program, "--api-key-file", path) as server:
            assert server.get("/health/live").status == 200
            refused = server.post("/v1/inference", PROMPT)
            assert refused.status == 401 and refused.json["error_code"] == "UNAUTHORIZED"
            assert refused.headers["WWW-Authenticate"] == "Bearer"
            assert server.post("/v1/inference", PROMPT, **bearer("alice-0123456789abc")).status == 200
            assert server.post("/v1/inference", PROMPT, headers={"x-api-key": "alice-0123456789abc"}).status == 200
            admin = server.post("/v1/models/load", {"model_path": "x.gguf"}, **bearer("bob-00123456789abcd"))
            assert admin.status == 403 and admin.json["error_code"] == "FORBIDDEN"
            # Six a minute: one at once, the next in ten seconds.
            assert server.post("/v1/inference", PROMPT, **bearer("bob-00123456789abcd")).status == 200
            limited = server.post("/v1/inference", PROMPT, **bearer("bob-00123456789abcd"))
            assert limited.status == 429 and limited.json["error_code"] == "RATE_LIMIT_EXCEEDED"
            assert 1 <= int(limited.headers["Retry-After"]) <= 10
            # SIGHUP reads the file again.
            with open(path, "w", encoding="utf-8") as file:
                file.write("carol-0123456789abc carol\n")
            server.process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 10
            while server.post("/v1/inference", PROMPT, **bearer("carol-0123456789abc")).status != 200:
                assert time.monotonic() < end, server.read_log()
                time.sleep(0.05)
            assert server.post("/v1/inference", PROMPT, **bearer("alice-0123456789abc")).status == 401


def test_tokens_of_three_algorithms(program: str) -> None:
    secret = "0123456789abcdef0123456789abcdef"
    private_rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private_ed = ed25519.Ed25519PrivateKey.generate()

    def public_pem(key) -> bytes:
        return key.public_key().public_bytes(serialization.Encoding.PEM,
                                             serialization.PublicFormat.SubjectPublicKeyInfo)

    for algorithm, private, public in (("HS256", secret, secret.encode()),
                                       ("RS256", private_rsa, public_pem(private_rsa)),
                                       ("EdDSA", private_ed, public_pem(private_ed))):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "key")
            with open(path, "wb") as file:
                file.write(public)
            with server_fixture.Server(program, "--jwt-key-file", path, "--jwt-audience", "bitnet") as server:
                claims = {"sub": "alice", "aud": "bitnet", "exp": int(time.time()) + 600}
                status = lambda more, key=private: server.post(
                    "/v1/inference", PROMPT, **bearer(jwt.encode({**claims, **more}, key, algorithm))).status
                assert status({}) == 200, algorithm
                assert status({"exp": int(time.time()) - 600}) == 401
                assert status({"aud": "other"}) == 401
                assert status({"nbf": int(time.time()) + 600}) == 401
                other = {"HS256": "x" * 32, "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
                         "EdDSA": ed25519.Ed25519PrivateKey.generate()}[algorithm]
                assert status({}, other) == 401
                admin = server.post("/v1/models/load", {"model_path": "x.gguf"},
                                    **bearer(jwt.encode(claims, private, algorithm)))
                assert admin.status == 403


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
