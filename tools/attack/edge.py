#!/usr/bin/env python3
"""HTTP itself: smuggled, malformed, flooding and slow requests, paths out of their root, overridden methods.

    tools/attack/edge.py http://127.0.0.1:8080 --token "$TOKEN"
"""

import threading
import time

from common import Target, Tries, alive, arguments, statuses

given = arguments(__doc__, "token")
target, tries = Target(given.url), Tries("edge")
AUTH = f"Authorization: Bearer {given.token}\r\n"
HOST = f"Host: {target.host}\r\n"
SMUGGLED = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


def head(line, *headers):
    return (line + "\r\n" + "".join(f"{header}\r\n" for header in headers) + "\r\n").encode("latin-1")


def post(*headers):
    return head("POST /v4/payout/offer HTTP/1.1", HOST.strip(), AUTH.strip(), "Content-Type: application/json", *headers)


# Two readings of where a request ends: at most one answer, and then the line is closed.
for name, data in [
    ("content-length and chunked", post("Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + SMUGGLED),
    ("chunked and content-length", post("Transfer-Encoding: chunked", "Content-Length: 4") + b"0\r\n\r\n" + SMUGGLED),
    ("two lengths that differ", post("Content-Length: 2", "Content-Length: 44") + b"{}" + SMUGGLED),
    ("a list of lengths", post("Content-Length: 2, 2") + b"{}" + SMUGGLED),
    ("a length with a sign", post("Content-Length: +2") + b"{}" + SMUGGLED),
    ("a length below zero", post("Content-Length: -1") + b"{}" + SMUGGLED),
    ("a hexadecimal length", post("Content-Length: 0x2") + b"{}" + SMUGGLED),
    ("a length beyond 64 bits", post("Content-Length: 18446744073709551618") + b"{}" + SMUGGLED),
    ("a coding that isn't known", post("Transfer-Encoding: xchunked") + b"0\r\n\r\n" + SMUGGLED),
    ("chunked twice", post("Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n" + SMUGGLED),
    ("two transfer codings", post("Transfer-Encoding: identity", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + SMUGGLED),
    ("chunked with a tab", post("Transfer-Encoding:\tchunked\x0b") + b"0\r\n\r\n" + SMUGGLED),
    ("a space before the colon", post("Transfer-Encoding : chunked", "Content-Length: 5") + b"0\r\n\r\n" + SMUGGLED),
    ("a chunk's length beyond 64 bits", post("Transfer-Encoding: chunked") + b"10000000000000002\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ("a chunk's length with a sign", post("Transfer-Encoding: chunked") + b"-2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ("a chunk without its end", post("Transfer-Encoding: chunked") + b"2\r\n{}XX0\r\n\r\n" + SMUGGLED),
    ("a chunk with bare line feeds", post("Transfer-Encoding: chunked") + b"2\n{}\n0\n\n" + SMUGGLED),
    ("a folded header", post("Content-Length: 2", "X-A: b", " Transfer-Encoding: chunked") + b"{}" + SMUGGLED),
    ("NUL in a header's value", post("Content-Length: 2", "X-A: b\x00c") + b"{}" + SMUGGLED),
    ("a carriage return in a header's value", post("Content-Length: 2", "X-A: b\rTransfer-Encoding: chunked") + b"{}" + SMUGGLED),
    ("a header without a colon", post("Content-Length: 2", "Transfer-Encoding chunked") + b"{}" + SMUGGLED),
    ("chunked in HTTP/1.0", post("Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n" + SMUGGLED),
]:
    got = target.raw(data, timeout=3)
    codes = statuses(got)
    tries.check(name, b'"live"' not in got and 200 not in codes, f"answers {codes}")

# A body where none is taken is still a body.
got = target.raw(head("GET /v4/payout/data HTTP/1.1", HOST.strip(), AUTH.strip(), f"Content-Length: {len(SMUGGLED)}") + SMUGGLED, timeout=3)
tries.check("a request in a GET's body", len(statuses(got)) == 1, f"answers {statuses(got)}")
got = target.raw(post("Expect: 100-continue", f"Content-Length: {len(SMUGGLED)}") + SMUGGLED, timeout=3)
tries.check("a request behind Expect", [code for code in statuses(got) if code != 100][1:] == [] and b'"live"' not in got, f"answers {statuses(got)}")
got = target.raw(post("Transfer-Encoding: chunked") + b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n", timeout=3)
tries.check("a chunk's extension of 100 kB", not any(200 <= code < 300 for code in statuses(got)) and alive(target), f"answers {statuses(got)}")
got = target.raw(post("Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n", timeout=3)
tries.check("a trailer with credentials", not any(code >= 500 for code in statuses(got)), f"answers {statuses(got)}")

# The head.
live = lambda line, *headers: target.raw(head(line, *headers, "Connection: close"), timeout=4)
for name, got in [
    ("no host", live("GET /health/live HTTP/1.1")),
    ("two hosts", live("GET /health/live HTTP/1.1", "Host: a", "Host: b")),
    ("a URL of another host", live("GET http://169.254.169.254/health/live HTTP/1.1", HOST.strip())),
    ("HTTP/2 without TLS", target.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", timeout=4)),
    ("HTTP/0.9", target.raw(b"GET /health/live\r\n\r\n", timeout=4)),
    ("HTTP/9.9", live("GET /health/live HTTP/9.9", HOST.strip())),
    ("upgrade to h2c", live("GET /health/live HTTP/1.1", HOST.strip(), "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")),
    ("a TLS hello", target.raw(bytes.fromhex("16030100050100000100"), timeout=4)),
    ("CONNECT", live("CONNECT 169.254.169.254:80 HTTP/1.1", HOST.strip())),
    ("TRACE", live("TRACE /v4/payout/data HTTP/1.1", HOST.strip(), AUTH.strip())),
    ("a method of 10 kB", live("A" * 10_000 + " / HTTP/1.1", HOST.strip())),
]:
    codes = statuses(got)
    inner = [word for word in (b"actix", b"panicked", b"src/", b"Server:", given.token.encode()) if word in got]
    tries.check(name, len(codes) <= 1 and not any(code >= 500 and code not in (501, 505) for code in codes) and not inner, f"answers {codes} {inner}")
for name, data, wanted in [
    ("200 headers", head("GET /health/live HTTP/1.1", HOST.strip(), *[f"X-{n}: a" for n in range(200)]), {400, 431}),
    ("a header of 100 kB", head("GET /health/live HTTP/1.1", HOST.strip(), "X-A: " + "a" * 100_000), {400, 431}),
    ("a URL of 100 kB", head("GET /" + "a" * 100_000 + " HTTP/1.1", HOST.strip()), {400, 414, 431}),
    ("headers without end", head("GET / HTTP/1.1", HOST.strip())[:-2] + b"X: y\r\n" * 200_000, {400, 431}),
]:
    got = target.raw(data, timeout=8)
    tries.check(name, set(statuses(got)) <= wanted and alive(target), f"answers {statuses(got)}")
status, headers, _ = target.ask("GET", "/health/live", headers={"X-Request-Id": "4111111111111111"})
tries.check("a card number as the request's id", "4111" not in headers["x-request-id"], headers["x-request-id"])
got = target.raw(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: a%0d%0aSet-Cookie:%20b=c\r\nConnection: close\r\n\r\n")
tries.check("an answer split by the request's id", b"Set-Cookie" not in got, statuses(got))

# Paths out of their root.
for path in [
    "/dashboard/assets/../../config/default.toml", "/dashboard/assets/%2e%2e/%2e%2e/Cargo.toml", "/dashboard/assets/..%2f..%2fCargo.toml",
    "/dashboard/assets/..%5c..%5cCargo.toml", "/dashboard/assets/....//....//etc/passwd", "/dashboard/assets/%252e%252e%252fetc/passwd",
    "/dashboard/assets//etc/passwd", "/dashboard/assets/dashboard.css%00.png", "/docs/../../etc/passwd", "/docs/..%2f..%2fetc%2fpasswd",
    "/docs/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/..;/metrics", "/v4/payout/data/..%2f..%2f..%2fmetrics", "/%00",
]:
    got = target.raw(head(f"GET {path} HTTP/1.1", HOST.strip(), "Connection: close"), timeout=4)
    leaks = [word for word in (b"root:", b"[dependencies]", b"[http]", b"landfall_") if word in got]
    tries.check(f"path {path}", not leaks and not any(code >= 500 for code in statuses(got)), f"answers {statuses(got)} {leaks}")
for path in ["/metrics", "/dashboard/test"]:
    plain, doubled = target.ask("GET", path)[0], target.ask("GET", "/" + path)[0]
    tries.check(f"a doubled slash before {path}", doubled in (plain, 404), f"{plain}, doubled {doubled}")

# Methods.
for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]:
    status, _, text = target.ask("POST", "/v4/payout/card/1", "{}", given.token, {name: "DELETE"})
    tries.check(f"{name}: DELETE", status == 405, f"{status} {text}")
status, _, text = target.ask("GET", "/v4/payout/card/1?_method=DELETE", token=given.token)
tries.check("?_method=DELETE", status == 405, f"{status} {text}")
for headers in [{"X-Original-URL": "/metrics"}, {"X-Rewrite-URL": "/metrics"}]:
    status, _, text = target.ask("GET", "/v4/payout/data", headers=headers)
    tries.check(f"{list(headers)[0]}", status == 401 and "landfall_" not in text, status)
status, headers, _ = target.ask("OPTIONS", "/v4/payout/data", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"})
tries.check("another origin's preflight", "access-control-allow-origin" not in headers, f"{status} {headers.get('access-control-allow-origin')}")

# Many requests on one line, and a huge body that is announced.
got = target.raw(head("GET /health/live HTTP/1.1", HOST.strip()) * 300 + head("GET /health/live HTTP/1.1", HOST.strip(), "Connection: close"), timeout=10)
tries.check("300 requests in one packet", set(statuses(got)) == {200} and len(statuses(got)) == 301, f"{len(statuses(got))} answers")
began = time.monotonic()
got = target.raw(post("Content-Length: 9000000000"), timeout=15)
tries.check("a body of 9 GB that is announced", set(statuses(got)) <= {400, 413}, f"answers {statuses(got)} after {time.monotonic() - began:.1f} s")

# Slow heads and slow bodies: each line is cut in bounded time, and others are answered meanwhile.
ended = []


def drip(first):
    began = time.monotonic()
    try:
        with target.connect(5) as line:
            line.sendall(first)
            line.settimeout(0.01)
            while time.monotonic() - began < 40:
                line.sendall(b"a")
                try:
                    if not line.recv(4096):
                        break
                except TimeoutError:
                    pass
                time.sleep(0.5)
    except OSError:
        pass
    ended.append(time.monotonic() - began)


slow = [b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-A: "] * 60 + [post("Content-Length: 10000")] * 60
crowd = [threading.Thread(target=drip, args=(first,)) for first in slow]
for one in crowd:
    one.start()
time.sleep(3)
began = time.monotonic()
is_answered = alive(target)
tries.check("others while 120 lines drip", is_answered and time.monotonic() - began < 3, f"after {time.monotonic() - began:.2f} s")
for one in crowd:
    one.join()
tries.check("120 lines that drip are cut", max(ended) < 30, f"the last after {max(ended):.1f} s")
tries.check("it still answers", alive(target))
tries.finish()
