#!/usr/bin/env python3
"""The vault against whoever writes the database and has no key: rows swapped, moved, cut, rolled back; numbers guessed by what is stored.

    tools/attack/vault.py http://127.0.0.1:8080 --token "$TOKEN" --other "$TOKEN_OF_ANOTHER_USER" --psql "psql -h data/postgres/socket -U landfall landfall"

It breaks rows of the installation and puts them back: only for one that nobody uses. A user's balance must do for some offers of 25.
"""

import hashlib
import json
import shlex
import subprocess
import time

from common import Target, Tries, alive, arguments

given = arguments(__doc__, "token", "other", "psql")
target, tries = Target(given.url), Tries("vault")
WALLET = "/v4/payout"
NUMBERS = ["4111111111111111", "4242424242424242"]


def sql(text):
    done = subprocess.run([*shlex.split(given.psql), "-AtqX", "-v", "ON_ERROR_STOP=1", "-c", text], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else f"refused: {done.stderr.strip()}"


def card(token, number):
    body = {"cardNumber": number, "cardHolder": "ALICE EXAMPLE", "cardExpirationYear": "2035", "cardExpirationMonth": "12"}
    return target.json("POST", WALLET + "/card", body, token)[1]["cardId"]


def pay(token, card_id):
    """How a payout to this card ends, told in a word."""
    body = f'{{"amount": 25, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": {card_id}}}'
    status, offer = target.json("POST", WALLET + "/offer", body, token)
    if status != 200:
        return f"no offer: {offer}"
    status, paid = target.json("POST", f"{WALLET}/pay/{offer['offerId']}", "{}", token, {"Prefer": "wait=6"}, timeout=60)
    return f"{paid.get('status')} {paid.get('resolution')}" if status == 200 else f"{status} {paid}"


mine, second, theirs = card(given.token, NUMBERS[0]), card(given.token, NUMBERS[1]), card(given.other, NUMBERS[0])
tries.check("a payout before anything is edited", pay(given.token, mine).startswith("SUCCESS"), "")
hexed = lambda card_id, column="pan_sealed": sql(f"SELECT encode({column}, 'hex') FROM card WHERE id = {card_id}")
whole = {one: hexed(one) for one in (mine, second, theirs)}


def with_number(name, sealed, token=given.token, card_id=mine):
    """Puts something else for a card's number: it must not be paid to."""
    was = hexed(card_id)
    edited = sql(f"UPDATE card SET pan_sealed = decode('{sealed}', 'hex') WHERE id = {card_id}")
    ended = pay(token, card_id) if not edited.startswith("refused") else edited
    tries.check(f"a number that is {name}", not ended.startswith("SUCCESS"), ended)
    sql(f"UPDATE card SET pan_sealed = decode('{was}', 'hex') WHERE id = {card_id}")


flipped = lambda text, at: text[:at] + f"{int(text[at], 16) ^ 1:x}" + text[at + 1:]
with_number("another card's of the same user", whole[second])
with_number("another user's same one", whole[theirs])
with_number("the holder's name", hexed(mine, "holder_sealed"))
with_number("cut", whole[mine][:-8])
with_number("cut to its header", whole[mine][:34])
with_number("empty", "")
with_number("with a flipped bit in the tag", flipped(whole[mine], len(whole[mine]) - 1))
with_number("with a flipped bit in the nonce", flipped(whole[mine], 40))
with_number("under another key's id", whole[mine][:2] + "00" * 16 + whole[mine][34:])
with_number("of another version", "02" + whole[mine][2:])
with_number("longer", whole[mine] + "00")
tries.check("  and put back it is paid to", pay(given.token, mine).startswith("SUCCESS"), "")

# The row around it.
customer = {one: sql(f"SELECT customer_id FROM card WHERE id = {one}") for one in (mine, theirs)}
moved = sql(f"UPDATE card SET customer_id = '{customer[mine]}' WHERE id = {theirs}")
ended = pay(given.token, theirs) if not moved.startswith("refused") else moved
tries.check("another user's whole row", not ended.startswith("SUCCESS"), ended)
sql(f"UPDATE card SET customer_id = '{customer[theirs]}' WHERE id = {theirs}")
ended = sql(f"UPDATE card SET fingerprint = (SELECT fingerprint FROM card WHERE id = {second}) WHERE id = {mine}")
tries.check("another card's fingerprint", ended.startswith("refused"), ended[:90])
shown = {one: json.loads(target.ask('GET', WALLET + '/data', token=given.token)[2])["cards"] for one in (mine,)}[mine]
sql(f"UPDATE card SET last_four = '9999' WHERE id = {mine}")
ended = pay(given.token, mine)
tries.check("other last four than the number's (it is paid to what is sealed)", ended.startswith("SUCCESS"), ended)
sql(f"UPDATE card SET last_four = '1111' WHERE id = {mine}")

body = f'{{"amount": 25, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": {mine}}}'
offer = target.json("POST", WALLET + "/offer", body, given.token)[1]["offerId"]
led = sql(f"UPDATE offer SET card_id = {theirs} WHERE id = {offer}")
ended = led if led.startswith("refused") else str(target.json("POST", f"{WALLET}/pay/{offer}", "{}", given.token, {"Prefer": "wait=6"}, timeout=60))
tries.check("an offer that is led to another user's card", "SUCCESS" not in ended, ended[:110])

# Keys: wrapped for their row. A process that knows a key goes on; what it doesn't know it must not take.
rows = sql("SELECT count(*) FROM dek")
was = sql("SELECT encode(wrapped, 'hex') || ' ' || id FROM dek ORDER BY id LIMIT 1").split()
swapped = sql(f"UPDATE dek SET wrapped = decode('{flipped(was[0], 20)}', 'hex') WHERE id = '{was[1]}'")
tries.check("an edited data key stops nothing that is running", pay(given.token, mine).startswith("SUCCESS"), swapped)
sql(f"UPDATE dek SET wrapped = decode('{was[0]}', 'hex') WHERE id = '{was[1]}'")

# Guessing from what is stored: hashes without the key, and the same number's two prints.
prints = {sql(f"SELECT encode(fingerprint, 'hex') FROM card WHERE id = {one}") for one in (mine, theirs)}
bare = {hashlib.new(name, form.encode()).hexdigest()[:64] for name in ("sha256", "sha512", "sha3_256", "blake2s") for form in (NUMBERS[0], NUMBERS[0] + "\n", "landfall" + NUMBERS[0])}
tries.check("a fingerprint is no bare hash", not prints & bare, f"{len(prints)} prints")
tries.check("nothing of a number in the clear", sql(f"SELECT count(*) FROM card t WHERE t::text LIKE '%{NUMBERS[0]}%'") == "0", "")
lengths = sql("SELECT count(DISTINCT length(pan_sealed)) FROM card WHERE pan_sealed IS NOT NULL AND scheme = 'VISA'")
tries.check("lengths of sealed numbers tell no more than their digits", lengths == "1", lengths)
again = hexed(mine)
card(given.token, NUMBERS[0])
tries.check("the same number sealed twice is two texts", again != hexed(mine), "")

# Guessing from outside: adding a card takes as long whether anybody has it.
took = {}
card(given.other, "5555555555554444")
for name, number in [("known here", NUMBERS[0]), ("known to another user", "5555555555554444"), ("known nowhere", "4012888888881881")]:
    began = time.monotonic()
    for _ in range(15):
        card(given.token, number)
    took[name] = round((time.monotonic() - began) / 15 * 1000, 1)
tries.check("how long a card takes to add", max(took.values()) - min(took.values()) < 30, took)

# What somebody approved, and who may come in: sealed rows of an approval.
tries.check("no row waits that can be edited unseen", sql("SELECT count(*) FROM approval WHERE status = 'open' AND length(change) < 33") == "0", "")
tries.check("it still answers", alive(target))
print("then: landfall verify")
tries.finish()
