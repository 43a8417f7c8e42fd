#!/usr/bin/env python3
"""Rates and resources: limits by address, user and key under forged headers and many names, hoarded connections, memory.

For a server with small limits, so that they are met soon; `--pid` is its process:

    LANDFALL__HTTP__RATE_LIMITS__ADDRESS__BURST=400 LANDFALL__HTTP__RATE_LIMITS__ADDRESS__PER_MINUTE=600 \\
    LANDFALL__HTTP__RATE_LIMITS__USER__BURST=30 LANDFALL__HTTP__RATE_LIMITS__USER__PER_MINUTE=60 \\
    LANDFALL__HTTP__RATE_LIMITS__KEY__BURST=30 LANDFALL__HTTP__RATE_LIMITS__KEY__PER_MINUTE=60 \\
    LANDFALL__HTTP__ADDRESS_CONNECTIONS_MAX=100 landfall serve --demo --listen 127.0.0.1:8082
    tools/attack/resources.py http://127.0.0.1:8082 --token "$TOKEN" --key "$KEY" --pid "$PID"
"""

import time

from common import Target, Tries, alive, arguments

given = arguments(__doc__, "token", "key", "pid")
target, tries = Target(given.url), Tries("resources")


def memory():
    with open(f"/proc/{given.pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS"))


def until_429(count, ask):
    for n in range(count):
        if ask(n) == 429:
            return n
    return None


# Users and keys: a limit of their own, whatever a request says of where it comes from.
after = until_429(80, lambda n: target.ask("GET", "/v4/payout/data", token=given.token, headers={"X-Forwarded-For": f"192.0.2.{n}", "Forwarded": f"for=192.0.2.{n}"})[0])
tries.check("a user from 80 forged addresses", after is not None, f"429 after {after}")
after = until_429(80, lambda n: target.ask("GET", "/v1/api-keys", token=given.key, headers={"X-Real-IP": f"192.0.2.{n}", "X-Forwarded-For": f"10.0.0.{n}"})[0])
tries.check("a key from 80 forged addresses", after is not None, f"429 after {after}")
status, headers, _ = target.ask("GET", "/v1/api-keys", token=given.key)
tries.check("  it is told when to come again", status == 429 and int(headers.get("retry-after", 0)) >= 1, headers.get("retry-after"))
tries.check("  another user isn't held up by it", target.ask("GET", "/v4/payout/data", token="x")[0] == 401, "")

# Strangers.
forms = [{"X-Forwarded-For": f"198.51.100.{n % 250}"} for n in range(250)] + [{"Forwarded": f"for=\"[2001:db8::{n:x}]\""} for n in range(250)]
forms += [{"X-Forwarded-For": f"1.1.1.1, 2.2.2.{n % 250}", "Forwarded": "for=9.9.9.9", "X-Client-IP": f"3.3.3.{n % 250}", "CF-Connecting-IP": f"4.4.4.{n % 250}", "True-Client-IP": f"5.5.5.{n % 250}"} for n in range(300)]
before = memory()
after = until_429(len(forms), lambda n: target.ask("GET", f"/v4/payout/data?{n}", token=f"stranger-{n}", headers=forms[n])[0])
tries.check("an address under 800 names", after is not None, f"429 after {after}")
tries.check("  liveness is told all the same", target.ask("GET", "/health/live")[0] == 200, "")
tries.check("  in bounded memory", memory() - before < 64, f"{before} MB, then {memory()} MB")
time.sleep(12)

# Hoarded connections.
held = []
for _ in range(400):
    try:
        held.append(target.connect(2))
    except OSError:
        break
time.sleep(1)
living = 0
for line in held:
    line.settimeout(0.02)
    try:
        if line.recv(1) == b"":
            continue
    except TimeoutError:
        living += 1
    except OSError:
        pass
tries.check("400 connections of one address", living <= 110, f"{living} of {len(held)} are kept")
for line in held:
    line.close()
time.sleep(1)
tries.check("  they are forgotten when they are closed", alive(target), "")

# Large answers that nobody reads.
before = memory()
lines = []
for _ in range(60):
    line = target.connect(5)
    line.sendall(b"GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n" * 40)
    lines.append(line)
time.sleep(3)
tries.check("60 lines ask for 40 large answers and read none", memory() - before < 200, f"{before} MB, then {memory()} MB")
for line in lines:
    line.close()
tries.check("it still answers", alive(target), "")
tries.finish()
