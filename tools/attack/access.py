#!/usr/bin/env python3
"""Authentication, tenants and modes: forged and borrowed tokens and keys, callbacks that nobody signed, addresses that accounts lead to.

    tools/attack/access.py http://127.0.0.1:8080 --token "$TOKEN" --other "$TOKEN_OF_ANOTHER_USER" --key "$KEY" --otherkey "$KEY_OF_ANOTHER_PARTNER"
"""

import base64
import hashlib
import hmac
import json
import time

from common import Target, Tries, alive, arguments, document

given = arguments(__doc__, "token", "other", "key", "otherkey")
target, tries = Target(given.url), Tries("access")
DATA, KEYS, V1 = "/v4/payout/data", "/v1/api-keys", "/v1/payout-gateway"
JSON_API = {"Content-Type": "application/vnd.api+json"}


def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def opened(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


head, claims, signature = given.token.split(".")
header, said = opened(head), opened(claims)
key_text = header["kid"].encode()


def hs256(header, claims, key):
    signed = f"{b64(header)}.{b64(claims)}"
    return f"{signed}.{b64(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


# Tokens of users.
for name, token in [
    ("alg none", f"{b64({**header, 'alg': 'none'})}.{claims}."), ("alg NONE with a signature", f"{b64({**header, 'alg': 'NONE'})}.{claims}.{signature}"),
    ("no signature", f"{head}.{claims}."), ("another user's claims", f"{head}.{b64({**said, 'sub': 'bob'})}.{signature}"), ("a higher KYC level", f"{head}.{b64({**said, 'kyc_level': 3})}.{signature}"),
    ("HS256 by the key's id", hs256({**header, "alg": "HS256"}, said, key_text)), ("HS256 by nothing", hs256({**header, "alg": "HS256"}, said, b"")),
    ("a key of its own", hs256({**header, "alg": "HS256", "jwk": {"kty": "oct", "k": b64(b"x" * 32)}}, said, b"x" * 32)),
    ("a key from elsewhere", hs256({**header, "alg": "HS256", "jku": "http://169.254.169.254/"}, said, b"x" * 32)), ("a kid that is a path", f"{b64({**header, 'kid': '../../../../dev/null'})}.{claims}.{signature}"),
    ("a kid that is SQL", f"{b64({**header, 'kid': chr(39) + ' OR 1=1 --'})}.{claims}.{signature}"), ("a zero signature", f"{head}.{claims}.{b64(bytes(64))}"),
    ("a signature in DER", f"{head}.{claims}.{b64(b'0' + bytes(70))}"), ("a line break in it", f"{given.token[:40]} {given.token[40:]}"), ("a fourth part", given.token + ".x"),
    ("8 kB of it", "a" * 8_000), ("a critical extension", f"{b64({**header, 'crit': ['exp']})}.{claims}.{signature}"), ("a partner's key", given.key), ("nothing", "x"),
    ("its other signature", f"{head}.{claims}.{b64(base64.urlsafe_b64decode(signature + '==')[:32] + bytes(32))}"),
]:
    status, _, text = target.ask("GET", DATA, token=token)
    tries.check(f"a user's token: {name}", status == 401 and "src/" not in text, f"{status} {text[:70]}")
for name, path, headers in [
    ("in the query", f"{DATA}?access_token={given.token}", {}), ("in a cookie", DATA, {"Cookie": f"access_token={given.token}"}), ("as Basic", DATA, {"Authorization": f"Basic {given.token}"}),
    ("under another header", DATA, {"X-Authorization": f"Bearer {given.token}"}),
]:
    status, _, _ = target.ask("GET", path, headers=headers)
    tries.check(f"a user's token {name}", status in (400, 401), status)
got = target.raw(f"GET {DATA} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {given.token}\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n".encode())
tries.check("two tokens", b" 401 " in got.split(b"\r\n")[0], got.split(b"\r\n")[0])

# Partners' keys.
for name, key in [
    ("mistyped", given.key[:-1] + ("A" if given.key[-1] != "A" else "B")), ("of live mode", given.key.replace("sk_test_", "sk_live_")), ("its hash", hashlib.sha256(given.key.encode()).hexdigest()),
    ("cut", given.key[:30]), ("with a space", given.key + " "), ("a user's token", given.token), ("empty", ""), ("its prefix and %", given.key[:12] + "%" * 45), ("in capitals", given.key.upper()),
]:
    status, _, _ = target.ask("GET", KEYS, token=key)
    tries.check(f"a partner's key: {name}", status == 401 or (name == "with a space" and status == 200), status)
status, _, _ = target.ask("GET", f"{KEYS}?api_key={given.key}")
tries.check("a partner's key in the query", status == 401, status)
began = []
for key in [given.key[:-1] + "~", given.key[:-7] + "A" * 7]:
    start = time.monotonic()
    for _ in range(40):
        target.ask("GET", KEYS, token=key)
    began.append(time.monotonic() - start)
tries.check("how long a refusal takes", abs(began[0] - began[1]) < 0.5, [round(one / 40 * 1000, 2) for one in began])

# What a key may have made.
ours = target.json("GET", KEYS, token=given.key)[1]["data"]
own = next(one for one in ours if given.key.startswith(one["attributes"]["prefix"]))
ends = {"expires_at": own["attributes"]["expires_at"]}
own = own["id"]
for name, wish, allowed in [
    ("a scope that isn't", {"name": "a", "scopes": ["admin"], **ends}, {422}), ("no scope", {"name": "a", "scopes": [], **ends}, {422}), ("live mode", {"name": "a", "scopes": ["keys:read"], "test_mode": False}, {403, 409, 422}),
    ("another partner", {"name": "a", "scopes": ["keys:read"], "partner_id": "house"}, {422}), ("its own secret", {"name": "a", "scopes": ["keys:read"], "secret": "x"}, {422}),
    ("a network that is none", {"name": "a", "scopes": ["keys:read"], "allowed_ips": ["0.0.0.0/33"], **ends}, {422}), ("an end later than its own", {"name": "a", "scopes": ["keys:read"], "expires_at": None}, {403} if ends["expires_at"] else {201}), ("an end in the past", {"name": "a", "scopes": ["keys:read"], "expires_at": "2001-01-01T00:00:00Z"}, {422}),
]:
    status, answer = target.json("POST", KEYS, document("api-key", wish), given.key, JSON_API)
    tries.check(f"a key with {name}", status in allowed, f"{status} {str(answer)[:90]}")
status, answer = target.json("POST", KEYS, document("api-key", {"name": "narrow", "scopes": ["keys:read", "keys:write"], **ends}), given.key, JSON_API)
narrow = answer["data"]["attributes"]["secret"] if status == 201 else ""
status, answer = target.json("POST", KEYS, document("api-key", {"name": "wide", "scopes": ["funds:write"], **ends}), narrow, JSON_API)
tries.check("a narrow key makes a wide one", status == 403, f"{status} {str(answer)[:90]}")
for path in [f"{V1}/payout-requests", f"{V1}/payout-points", "/v1/customers", "/v1/events", "/v1/partner-accounts"]:
    status, _, _ = target.ask("GET", path, token=narrow)
    tries.check(f"a narrow key on {path}", status == 403, status)
status, _, _ = target.ask("PATCH", f"{KEYS}/{own}", document("api-key", {"scopes": ["funds:write"]}), given.key, JSON_API)
tries.check("scopes that change", status == 422, status)
for method, path in [("GET", f"{KEYS}/{own}"), ("POST", f"{KEYS}/{own}/revoke"), ("PATCH", f"{KEYS}/{own}")]:
    body = document("api-key", {"name": "mine now"}) if method == "PATCH" else None
    status, _, _ = target.ask(method, path, body, given.otherkey, JSON_API)
    tries.check(f"another partner: {method} a key", status == 404, status)

# Everything that one partner has, asked for by the other: by lists and by ids.
for path in [f"{V1}/payout-requests", f"{V1}/payouts", f"{V1}/payout-points", f"{V1}/provider-accounts", f"{V1}/deposit-accounts", f"{V1}/payout-routes", f"{V1}/payout-schemes", f"{V1}/batches", "/v1/customers", KEYS]:
    mine = {one["id"] for one in target.json("GET", path + "?page[size]=100", token=given.key)[1]["data"]}
    theirs = {one["id"] for one in target.json("GET", path + "?page[size]=100", token=given.otherkey)[1]["data"]}
    codes = {target.ask("GET", f"{path}/{one}", token=given.otherkey)[0] for one in list(mine)[:5]}
    tries.check(f"another partner's {path.rsplit('/', 1)[1]}", not mine & theirs and codes <= {404}, f"{len(mine)} of ours, {len(theirs)} of theirs, {codes}")
for path in ["/v4/payout/history", "/v4/wallet/balances", DATA]:
    mine, theirs = target.json("GET", path, token=given.token)[1], target.json("GET", path, token=given.other)[1]
    ids = lambda found: {word for word in json.dumps(found).replace(",", " ").replace("}", " ").split() if word.isdigit() and len(word) == 16}
    tries.check(f"another user's {path}", not ids(mine) & ids(theirs), f"{len(ids(mine))} ids, {len(ids(theirs))} ids")

# Callbacks that nobody signed, and where accounts lead.
status, answer = target.json("POST", f"{V1}/provider-accounts", document("provider-account", {"code": f"attack-{int(time.time())}", "provider": "test", "credentials": {"callback_secret": "s" * 32}}), given.key, JSON_API)
account = answer["data"]["id"] if status == 201 else "pac_00000000000070008000000000000000"
status, _, text = target.ask("GET", f"{V1}/provider-accounts/{account}", token=given.key)
tries.check("credentials are never told", "s" * 32 not in text, status)
requests = target.json("GET", f"{V1}/payouts?page[size]=5", token=given.key)[1]["data"]
reference = requests[0]["attributes"].get("provider_reference", "po") if requests else "po"
body = json.dumps({"id": "tpe_a", "provider": "test", "account_id": account, "reference": reference, "original_id": "tp_a", "rrn": None, "status": "declined", "sequence": 9})
right = hmac.new(b"s" * 32, body.encode(), hashlib.sha256).hexdigest()
for name, path, headers, sent, allowed in [
    ("no signature", account, {}, body, {400, 401}), ("zeros", account, {"X-Test-Signature": "0" * 64}, body, {400, 401}), ("empty", account, {"X-Test-Signature": ""}, body, {400, 401}),
    ("a signature of another body", account, {"X-Test-Signature": right}, body + " ", {400, 401}), ("cut", account, {"X-Test-Signature": right[:32]}, body, {400, 401}),
    ("another account", "pac_00000000000070008000000000000000", {"X-Test-Signature": right}, body, {404}), ("an account that is SQL", "%27%20OR%201=1", {}, body, {404}),
    ("1 MB", account, {"X-Test-Signature": right}, "x" * 1_000_000, {413}), ("bytes", account, {"X-Test-Signature": right}, b"\xff\x00\xfe", {400, 401}), ("60 000 brackets", account, {"X-Test-Signature": right}, "[" * 60_000, {400, 401}),
]:
    status, _, text = target.ask("POST", f"/v1/provider-callbacks/{path}", sent, headers=headers)
    tries.check(f"a callback with {name}", status in allowed and "src/" not in text, f"{status} {text[:60]}")
codes = [target.ask("POST", f"/v1/provider-callbacks/{account}", body + " " * n, headers={"X-Forwarded-For": f"192.0.2.{n % 250}"})[0] for n in range(160)]
tries.check("160 strays from forged addresses", 429 in codes and set(codes) <= {400, 401, 429}, {code: codes.count(code) for code in set(codes)})
for url in [
    "http://127.0.0.1:18080", "http://2130706433/", "http://0x7f.1/", "http://017700000001/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://169.254.169.254/latest/meta-data/", "http://metadata.google.internal/",
    "http://localhost/", "http://localhost./", "file:///etc/passwd", "gopher://127.0.0.1:5432/", "http://evil.example@127.0.0.1/", "http://127.1/", "http://10.0.0.1/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "https://example.com:22/",
]:
    for provider, settings in [("http", {"base_url": url, "account": "main"}), ("test", {"base_url": url}), ("adyen", {"base_url": url, "balance_account_id": "BA1"})]:
        wish = {"code": f"ssrf-{abs(hash((url, provider))) % 10**9}", "provider": provider, "settings": settings, "credentials": {"api_key": "x", "callback_secret": "x"}}
        status, answer = target.json("POST", f"{V1}/provider-accounts", document("provider-account", wish), given.key, JSON_API)
        tries.check(f"{provider} leads to {url[:40]}", status in (403, 422), f"{status} {str(answer)[:80]}")
# Where nothing is called yet: addresses inside are for the guard to judge when something is.
for url in ["javascript:alert(1)", "file:///etc/passwd", "http://a@b/", "//x", "gopher://a/", "http://"]:
    wish = document("payout-point", {"code": f"cb-{abs(hash(url)) % 10**9}", "name": "x", "currencies": ["EUR"], "funding": "own_deposit", "callback_url": url})
    status, answer = target.json("POST", f"{V1}/payout-points", wish, given.key, JSON_API)
    tries.check(f"callbacks to {url}", status == 422, f"{status} {str(answer)[:100]}")
tries.check("it still answers", alive(target))
tries.finish()
