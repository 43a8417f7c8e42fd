"""What makes sequences of requests go on: the demonstration's things (tools/with-server), and good values for the fields that name them."""

import json
import os
import random
import urllib.error
import urllib.request
import zlib
from functools import cache
from itertools import count

GATEWAY = "/v1/payout-gateway"
# Numbers that the sandbox pays at once (docs/sandbox.md), one that it pays later, and one that it declines.
CARDS = ["4111111111111111", "4242424242424242", "5555555555554444", "4000000000130106", "4000000000130205"]
# At once, later, in part, returned, declined for the route and for good, and after an answer that got lost.
AMOUNTS = ["1", "2.50", "10", "25.00", "13.01", "13.08", "13.09", "13.02", "13.03", "13.07"]
# One of so many sequences' requests stays as it was drawn.
AS_DRAWN = 6


def call(method, path, kind=None, attributes=None, token=None, body=None):
    """Asks the server beside Schemathesis; what isn't answered with a success ends the run."""
    if attributes is not None:
        body = {"data": {"type": kind, "attributes": attributes}}
    request = urllib.request.Request(
        os.environ["URL"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token or os.environ['KEY']}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from error


def made(collection, kind, attributes):
    return call("POST", collection, kind, attributes)["data"]["id"]


class Things:
    """A partner's own of every kind, money enough, and a paid offer; made once."""

    def __init__(self):
        self.point = os.environ["POINT"]
        gateway = lambda name, kind, attributes: made(f"{GATEWAY}/{name}", kind, {"code": "own", **attributes})
        self.account = gateway("provider-accounts", "provider-account", {"provider": "test", "credentials": {"callback_secret": "s" * 32}})
        self.deposit = gateway("deposit-accounts", "deposit-account", {"provider_account_id": self.account, "currency": "EUR"})
        call("POST", f"{GATEWAY}/deposit-accounts/{self.deposit}/top-up", "deposit-account-top-up", {"amount": "1000000", "reference": "own"})
        self.route = gateway("payout-routes", "payout-route", {"service": "card_eur", "deposit_account_id": self.deposit})
        self.scheme = gateway("payout-schemes", "payout-scheme", {"name": "Own", "body": SCHEMES})
        self.rates = gateway("exchange-rate-schemes", "exchange-rate-scheme", {"name": "Own", "body": RATES})
        self.own_point = gateway(
            "payout-points",
            "payout-point",
            {
                "name": "Own",
                "currencies": ["EUR"],
                "funding": "own_deposit",
                "payout_scheme_id": self.scheme,
                "exchange_rate_scheme_id": self.rates,
            },
        )
        credit = {"reference_id": "much", "currency": "USD", "amount": "1000000"}
        made("/v1/partner-accounts/credits", "partner-credit", credit)
        credit = {"reference_id": "much", "customer_reference_id": "alice", "asset": "USDT", "amount": "1000000"}
        made("/v1/wallet/credits", "wallet-credit", credit)
        self.card = self.wallet("POST", "/v4/payout/card", good_card(CARDS[0]))["cardId"]
        self.paid = self.wallet("POST", "/v4/payout/offer", {"amount": "30", "cardId": self.card, **PAIR})["offerId"]
        self.wallet("POST", f"/v4/payout/pay/{self.paid}")
        # Without these nobody asks any more: their spares are changed in their place.
        keys = call("GET", "/v1/api-keys")["data"]
        customers = call("GET", "/v1/customers")["data"]
        is_alice = lambda customer: customer["attributes"]["reference_id"] == "alice"
        # What a key makes ends no later than itself.
        self.key_ends = keys[0]["attributes"]["expires_at"]
        spare_key = made("/v1/api-keys", "api-key", {"name": "spare", "scopes": ["keys:read"], "expires_at": self.key_ends})
        spare_customer = made("/v1/customers", "customer", {"reference_id": "spare"})
        self.spares = {key["id"]: spare_key for key in keys}
        self.spares |= {customer["id"]: spare_customer for customer in customers if is_alice(customer)}
        spare_point = gateway("payout-points", "payout-point", {"code": "spare", "name": "Spare", "currencies": ["USD"]})
        self.spares |= {self.point: spare_point, self.own_point: spare_point}
        self.spares[str(self.card)] = self.wallet("POST", "/v4/payout/card", good_card(CARDS[1]))["cardId"]

    def wallet(self, method, path, body=None):
        return call(method, path, token=os.environ["TOKEN"], body=body)


PAIR = {"fromCurrency": "USDT", "toCurrency": "EUR"}
SCHEMES = {"services": {"card_eur": {"strategies": [{"strategy": "direct", "routes": ["own"]}]}}}
RATES = {"rules": [{"from": "USD", "to": "EUR", "kind": "fixed", "price": "0.92"}]}

things = cache(Things)
# What is to be unique is new in each run of a sequence.
fresh = count()


def good_card(number):
    return {"cardNumber": number, "cardHolder": "ALICE EXAMPLE", "cardExpirationYear": 2035, "cardExpirationMonth": 12}


def fields(draw, service):
    if service.startswith("test_"):
        return {"account": "4711"}
    return {"card_number": draw.choice(CARDS), "card_expiry_month": "12", "card_expiry_year": "2035", "card_holder": "ALICE EXAMPLE"}


def payout_request(draw, drawn):
    point, service = draw.choice([(things().point, "test_usd")] * 3 + [(things().point, "card_usd"), (things().own_point, "card_eur")])
    good = {"point_id": point, "service": service, "service_amount": draw.choice(AMOUNTS), "fields": fields(draw, service)}
    # A few wait for their fields, or for somebody to say go.
    options = {"auto_process": draw.random() < 0.7}
    if draw.random() < 0.2:
        del good["fields"]
    return {**kept(drawn, "description", "metadata"), **good, "options": options, "test_mode": True}


def single_payout(draw, drawn):
    good = payout_request(draw, drawn)
    good |= {"route_id": things().route, "point_id": things().own_point, "service": "card_eur", "fields": fields(draw, "card_eur")}
    return good


def payout_request_change(draw, drawn):
    del drawn
    changes = [{"options": {"attempts_limit": 5}}, {"options": {"allow_partially": True}}, {"fields": {"account": "4712"}}, {"service_amount": "3"}]
    return draw.choice(changes)


def code():
    return f"c-{next(fresh)}"


def reference():
    return f"r-{next(fresh)}"


def kept(drawn, *names):
    return {name: drawn[name] for name in names if name in drawn}


# Of each operation, attributes that do, made of what was drawn.
ATTRIBUTES = {
    "createPayoutRequest": payout_request,
    "createSinglePayout": single_payout,
    "changePayoutRequest": payout_request_change,
    "createApiKey": lambda draw, drawn: {
        **{"name": "drawn", "scopes": ["keys:read"], **kept(drawn, "name", "scopes", "signing_required")},
        "expires_at": things().key_ends,
    },
    "changeApiKey": lambda draw, drawn: {"name": "drawn", **kept(drawn, "name")},
    "createCustomer": lambda draw, drawn: {**kept(drawn, "name", "metadata", "kyc_level"), "reference_id": reference(), "country": "DE"},
    "changeCustomer": lambda draw, drawn: {**kept(drawn, "name", "metadata", "kyc_level", "blocked"), "version": 1},
    "createPartnerCredit": lambda draw, drawn: {"reference_id": reference(), "currency": "USD", "amount": draw.choice(AMOUNTS)},
    "createWalletCredit": lambda draw, drawn: {
        "reference_id": reference(),
        "customer_reference_id": "alice",
        "asset": "USDT",
        "amount": draw.choice(AMOUNTS),
    },
    "createProviderAccount": lambda draw, drawn: {"code": code(), "provider": "test", **kept(drawn, "name", "enabled")},
    "changeProviderAccount": lambda draw, drawn: {"name": "drawn", **kept(drawn, "name", "enabled")},
    "createDepositAccount": lambda draw, drawn: {
        **kept(drawn, "name", "enabled"),
        "code": code(),
        "provider_account_id": things().account,
        "currency": draw.choice(["EUR", "USD", "GBP"]),
    },
    "changeDepositAccount": lambda draw, drawn: {"name": "drawn", **kept(drawn, "name")},
    "topUpDepositAccount": lambda draw, drawn: {"amount": draw.choice(AMOUNTS), "reference": reference()},
    "createPayoutRoute": lambda draw, drawn: {
        **kept(drawn, "name", "weight", "position", "enabled"),
        "code": code(),
        "service": "card_eur",
        "deposit_account_id": things().deposit,
    },
    "changePayoutRoute": lambda draw, drawn: {"weight": 5, **kept(drawn, "name", "weight", "position")},
    "createPayoutScheme": lambda draw, drawn: {"name": "Drawn", **kept(drawn, "name", "comment"), "code": code(), "body": SCHEMES},
    "publishPayoutSchemeVersion": lambda draw, drawn: {**kept(drawn, "comment"), "body": SCHEMES},
    "simulatePayoutScheme": lambda draw, drawn: draw.choice(
        [{"last": 10}, {"sample": {"service": "card_eur", "service_amount": draw.choice(AMOUNTS)}}]
    ),
    "createExchangeRateScheme": lambda draw, drawn: {"name": "Drawn", **kept(drawn, "name", "comment"), "code": code(), "body": RATES},
    "publishExchangeRateSchemeVersion": lambda draw, drawn: {**kept(drawn, "comment"), "body": RATES},
    "createPayoutPoint": lambda draw, drawn: {
        **kept(drawn, "description", "enabled", "options"),
        "code": code(),
        "name": "Drawn",
        "currencies": draw.choice([["EUR"], ["USD", "EUR"]]),
        "funding": "own_deposit",
        "payout_scheme_id": things().scheme,
    },
    "changePayoutPoint": lambda draw, drawn: {"name": "Drawn", **kept(drawn, "description", "enabled")},
    "createWebhookEndpoint": lambda draw, drawn: {**kept(drawn, "description"), "url": "https://shop.example/landfall"},
    "changeWebhookEndpoint": lambda draw, drawn: {"description": "drawn", **kept(drawn, "description", "enabled")},
}
# The same of the wallet's bodies.
BODIES = {
    "addCard": lambda draw, drawn: good_card(draw.choice(CARDS)),
    "setCardBillingAddress": lambda draw, drawn: {**drawn, "countryCode": "DE"},
    "createOffer": lambda draw, drawn: {"amount": draw.choice(["25", "30.5", 40]), "cardId": things().card, **PAIR},
    "updateOffer": lambda draw, drawn: {"amount": draw.choice(["26", "31.5", 41]), **PAIR},
}
BATCH = "service,service_amount,fields.account\ntest_usd,1,4711\ntest_usd,2.50,4712\n"
# What is drawn of these ends sequences rather than begins them.
WRITES = {"POST", "PATCH", "PUT", "DELETE"}


def drawer(case):
    """Draws the same for the same case, since Hypothesis runs it again."""
    told = json.dumps([case.body, case.path_parameters, case.query], sort_keys=True, default=str)
    return random.Random(zlib.crc32(told.encode()))


def make_good(case):
    """Gives a sequence's request that the schema allows values that name things."""
    operation = case.operation.definition.raw.get("operationId")
    draw = drawer(case)
    if draw.randrange(AS_DRAWN) == 0:
        return
    body = case.body if isinstance(case.body, dict) else {}
    if operation in ATTRIBUTES and isinstance(body.get("data"), dict):
        drawn = body["data"].get("attributes")
        good = ATTRIBUTES[operation](draw, drawn if isinstance(drawn, dict) else {})
        case.body = {"data": {"type": body["data"].get("type"), "attributes": good}}
    elif operation in BODIES:
        case.body = BODIES[operation](draw, body)
    elif operation == "createBatch":
        case.body, case.query = BATCH, {"point_id": things().point, "name": "drawn"}
    if operation == "payOffer":
        case.headers["Prefer"] = "wait=2"
    # Of a list something is to be seen.
    if case.method.upper() == "GET" and case.query:
        case.query = {name: value for name, value in case.query.items() if name == "page[size]"}
    for name in ("If-None-Match", "Idempotency-Key"):
        if draw.random() < 0.7:
            case.headers.pop(name, None)


def spare(case):
    """Keeps what all requests need, and doesn't wait where nothing comes."""
    parameters = case.path_parameters or {}
    for name, value in parameters.items():
        if case.method.upper() in WRITES and str(value) in things().spares:
            parameters[name] = things().spares[str(value)]
    # A stream of an offer that nobody pays lasts as long as its token.
    if case.operation.definition.raw.get("operationId") == "getPayEvents" and str(parameters.get("offerId", "")).isdigit():
        parameters["offerId"] = things().paid
