#!/usr/bin/env python3
"""Money: races for one offer and one balance, changed and expired offers, idempotency keys that two share, repeated references.

    tools/attack/money.py http://127.0.0.1:8080 --token "$TOKEN" --other "$TOKEN_OF_ANOTHER_USER" --key "$KEY" --otherkey "$KEY_OF_ANOTHER_PARTNER" --point "$POINT"
"""

import json
import threading
import time
import uuid
from decimal import Decimal

from common import Target, Tries, alive, arguments, document

given = arguments(__doc__, "token", "other", "key", "otherkey", "point")
target, tries = Target(given.url), Tries("money")
WALLET, V1 = "/v4/payout", "/v1/payout-gateway"
JSON_API = {"Content-Type": "application/vnd.api+json"}
NUMBER = "4111111111111111"


def at_once(count, what):
    """What `what(n)` answers, all begun together."""
    gate, answers = threading.Barrier(count), [None] * count

    def one(n):
        gate.wait()
        try:
            answers[n] = what(n)
        except OSError as error:
            answers[n] = (0, str(error))

    crowd = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    return answers


def balance(token, asset="USDT"):
    status, text = target.ask("GET", "/v4/wallet/balances", token=token)[0::2]
    found = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    rows = found.get("balances", found) if isinstance(found, dict) else found
    return next(({key: Decimal(str(value)) for key, value in row.items() if isinstance(value, (Decimal, int))} for row in rows if asset in row.values()), {})


def card(token):
    body = {"cardNumber": NUMBER, "cardHolder": "ALICE EXAMPLE", "cardExpirationYear": "2035", "cardExpirationMonth": "12"}
    status, made = target.json("POST", WALLET + "/card", body, token)
    return made.get("cardId") or made.get("id")


def offer(token, card_id, amount="25"):
    body = f'{{"amount": {amount}, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": {card_id}}}'
    status, made = target.json("POST", WALLET + "/offer", body, token)
    return made.get("offerId") or made.get("id"), made


mine, theirs = card(given.token), card(given.other)
before = balance(given.token)
print("balance", before, "card", mine)

# One offer, 64 lines.
one, told = offer(given.token, mine)
answers = at_once(64, lambda n: target.json("POST", f"{WALLET}/pay/{one}", "{}", given.token, {"Prefer": "wait=0"} if n % 2 else None, timeout=60))
codes = sorted({status for status, _ in answers})
tries.check("one offer paid on 64 lines", codes == [200], f"{codes} {told}")
after = balance(given.token)
spent = {key: before[key] - after[key] for key in before if before[key] != after[key]}
total = Decimal(str(target.json("GET", f"{WALLET}/pay/{one}", token=given.token)[1]["totalFrom"]))
tries.check("  its total left the balance once", spent and all(abs(change) == total for change in spent.values()), f"{spent} of {total}")

# Somebody else's.
for name, method, path, body in [
    ("another's offer is read", "GET", f"{WALLET}/offer/{one}", None), ("another's offer is paid", "POST", f"{WALLET}/pay/{one}", "{}"),
    ("another's payout is read", "GET", f"{WALLET}/pay/{one}", None), ("another's offer is changed", "PUT", f"{WALLET}/offer/{one}", '{"amount": 30, "fromCurrency": "USDT", "toCurrency": "EUR"}'),
    ("another's card is deleted", "DELETE", f"{WALLET}/card/{mine}", None),
    ("an offer to another's card", "POST", f"{WALLET}/offer", f'{{"amount": 30, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": {mine}}}'),
]:
    status, answer = target.json(method, path, body, given.other)
    tries.check(name, status == 404, f"{status} {str(answer)[:90]}")
tries.check("a card that two users have is two", mine != theirs, f"{mine} {theirs}")

# Paid while it changes.
for turn in range(4):
    racing, _ = offer(given.token, mine, "25")
    was = balance(given.token)

    def race(n):
        if n % 2:
            return ("put", *target.json("PUT", f"{WALLET}/offer/{racing}", f'{{"amount": {26 + n}, "fromCurrency": "USDT", "toCurrency": "EUR"}}', given.token))
        return ("pay", *target.json("POST", f"{WALLET}/pay/{racing}?version=1", "{}", given.token, {"Prefer": "wait=0"}, timeout=60))

    answers = at_once(16, race)
    paid = [answer for what, status, answer in answers if what == "pay" and status == 200]
    amounts = {str(answer["amountFrom"]) for answer in paid}
    tries.check(f"paid by version 1 while it changes, {turn}", not paid or amounts == {"25"} or amounts == {"25.0"}, f"{len(paid)} pays of {amounts}, {sorted({status for _, status, _ in answers})}")
    now = balance(given.token)
    taken = max(abs(was[key] - now[key]) for key in was)
    tries.check("  and no more than one total is taken", taken < Decimal("60"), taken)

# A pay after its time, and a version that nobody saw.
late, _ = offer(given.token, mine)
status, answer = target.json("POST", f"{WALLET}/pay/{late}?version=99", "{}", given.token)
tries.check("a version that isn't", status == 409, f"{status} {str(answer)[:80]}")
status, answer = target.json("POST", f"{WALLET}/pay/{late}?version=1", '{"amount": 1}', given.token)
tries.check("a body in a pay", status == 400, f"{status} {str(answer)[:80]}")
print("waits until an offer is over")
time.sleep(21)
answers = at_once(16, lambda n: target.json("POST", f"{WALLET}/pay/{late}", "{}", given.token))
tries.check("an offer that is over, on 16 lines", all(status != 200 for status, _ in answers), sorted({status for status, _ in answers}))

# One balance, many offers: never below zero.
many = [offer(given.token, mine, "100")[0] for _ in range(24)]
answers = at_once(len(many), lambda n: target.json("POST", f"{WALLET}/pay/{many[n]}", "{}", given.token, {"Prefer": "wait=0"}, timeout=60))
left = balance(given.token)
tries.check("24 offers for one balance at once", all(value >= 0 for value in left.values()), f"{sorted(status for status, _ in answers)} {left}")

# Idempotency keys.
key = f"shared-{uuid.uuid4()}"
first = target.json("POST", f"{WALLET}/offer", f'{{"amount": 30, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": {mine}}}', given.token, {"Idempotency-Key": key})
second = target.json("POST", f"{WALLET}/offer", f'{{"amount": 30, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": {theirs}}}', given.other, {"Idempotency-Key": key})
same_id = (first[1].get("offerId") or first[1].get("id")) == (second[1].get("offerId") or second[1].get("id"))
tries.check("two users' one key", not same_id and second[0] in (200, 201, 422, 400, 409), f"{first[0]} {second[0]}")
status, answer = target.json("POST", f"{WALLET}/offer", f'{{"amount": 31, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": {mine}}}', given.token, {"Idempotency-Key": key})
tries.check("one key for two bodies", status in (409, 422), f"{status} {str(answer)[:80]}")
wish = lambda reference, amount="1": document("payout-request", {"point_amount": amount, "point_id": given.point, "point_currency": "USD", "service": "test_usd", "fields": {"account": "x"}, "reference_id": reference})
reference = f"once-{uuid.uuid4()}"
answers = at_once(32, lambda n: target.json("POST", V1 + "/payout-requests", wish(reference), given.key, JSON_API, timeout=60))
ids = {answer["data"]["id"] for status, answer in answers if status in (200, 201)}
tries.check("one reference on 32 lines", len(ids) == 1, f"{len(ids)} requests, {sorted({status for status, _ in answers})}")
status, answer = target.json("POST", V1 + "/payout-requests", wish(reference, "2"), given.key, JSON_API)
tries.check("its reference with another amount", status == 409 or answer.get("data", {}).get("attributes", {}).get("point_amount") in ("1", "1.00"), f"{status} {str(answer)[:100]}")
key = f"shared-{uuid.uuid4()}"
keyed = {**JSON_API, "Idempotency-Key": key}
answers = at_once(32, lambda n: target.json("POST", V1 + "/payout-requests", wish(f"keyed-{key}"), given.key, keyed, timeout=60))
ids = {answer["data"]["id"] for status, answer in answers if status in (200, 201)}
tries.check("one key on 32 lines", len(ids) == 1 and {status for status, _ in answers} <= {200, 201, 409}, f"{len(ids)} requests, {sorted({status for status, _ in answers})}")
status, answer = target.json("POST", V1 + "/payout-requests", wish(f"keyed-{key}"), given.otherkey, keyed)
told = str(answer)
tries.check("another partner with the same key", status >= 400 and not any(found in told for found in ids), f"{status} {told[:90]}")
for found in ids:
    for method, path in [("GET", f"{V1}/payout-requests/{found}"), ("POST", f"{V1}/payout-requests/{found}/cancel"), ("GET", f"{V1}/payout-requests/{found}/events"), ("PATCH", f"{V1}/payout-requests/{found}")]:
        body = document("payout-request", {"options": {"allow_partially": True}}) if method == "PATCH" else None
        status, answer = target.json(method, path, body, given.otherkey, JSON_API)
        tries.check(f"another partner: {method} {path.rsplit('/', 1)[1][:20]}", status == 404, f"{status} {str(answer)[:80]}")

# Ended twice at once.
status, answer = target.json("POST", V1 + "/payout-requests", wish(f"ended-{uuid.uuid4()}"), given.key, JSON_API)
if status in (200, 201):
    ended = answer["data"]["id"]
    answers = at_once(16, lambda n: target.json("POST", f"{V1}/payout-requests/{ended}/{'cancel' if n % 2 else 'terminate'}", None, given.key, JSON_API, timeout=60))
    tries.check("cancelled and terminated on 16 lines", all(status < 500 for status, _ in answers), sorted({status for status, _ in answers}))
tries.check("it still answers", alive(target))
print("then: landfall verify")
tries.finish()
