"""A payout by each API over a running Landfall (URL, TOKEN, KEY, POINT), by nothing but the generated client."""

import os
import time
import uuid
from decimal import Decimal
from typing import Any, TypeVar, cast

from exact import ExactTransport
from landfall_client import AuthenticatedClient
from landfall_client.api.cards import add_card
from landfall_client.api.offers import create_offer
from landfall_client.api.pay import pay_offer
from landfall_client.api.payout_requests import create_payout_request, get_payout_request
from landfall_client.api.wallet_credits import create_wallet_credit
from landfall_client.models import (
    AddCardRequest,
    Card,
    CreateOfferRequest,
    CreditDocument,
    NewCreditRequest,
    NewCreditRequestDocument,
    NewCreditRequestResource,
    NewCreditRequestResourceType,
    NewPayoutRequest,
    NewPayoutRequestDocument,
    NewPayoutRequestFieldsType0,
    NewPayoutRequestResource,
    NewPayoutRequestResourceType,
    Offer,
    Pay,
    PayoutRequestDocument,
    PayStatus,
)

Answer = TypeVar("Answer")


def client(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(os.environ["URL"], token, httpx_args={"transport": ExactTransport()})


def answered(kind: type[Answer], answer: Any) -> Answer:
    assert isinstance(answer, kind), answer
    return answer


partner = client(os.environ["KEY"])
fields = NewPayoutRequestFieldsType0()
fields["account"] = "generated"
wanted = NewPayoutRequest(point_id=os.environ["POINT"], service="test_usd", service_amount="12.34", fields=fields)
resource = NewPayoutRequestResource(wanted, NewPayoutRequestResourceType.PAYOUT_REQUEST)
made = answered(PayoutRequestDocument, create_payout_request.sync(client=partner, body=NewPayoutRequestDocument(resource)))
for _ in range(300):
    made = answered(PayoutRequestDocument, get_payout_request.sync(made.data.id, client=partner))
    if made.data.attributes.final:
        break
    time.sleep(0.1)
assert made.data.attributes.status.value == "processed", made
assert Decimal(made.data.attributes.processed_amount) == Decimal("12.34")

# A decimal that no binary float holds: sent as a string, answered as a string.
many = "1234567890.01234567"
assert format(Decimal(float(many)), "f") != many
credit = NewCreditRequest(
    amount=many, asset="ETH", customer_reference_id="generated", reference_id=f"python-{uuid.uuid4()}"
)
credited = create_wallet_credit.sync(
    client=partner,
    body=NewCreditRequestDocument(NewCreditRequestResource(credit, NewCreditRequestResourceType.WALLET_CREDIT)),
)
assert answered(CreditDocument, credited).data.attributes.amount == many

wallet = client(os.environ["TOKEN"])
new_card = AddCardRequest(
    card_number="4111111111111111", card_holder="ALICE EXAMPLE", card_expiration_year=2035, card_expiration_month=12
)
card = answered(Card, add_card.sync(client=wallet, body=new_card))
amount = "123.45678901"
wish = CreateOfferRequest(amount=amount, from_currency="USDT", to_currency="EUR", card_id=card.card_id)
offer = answered(Offer, create_offer.sync(client=wallet, body=wish))
# Said to be floats, and decimals by what exact.py reads.
assert cast(object, offer.amount) == Decimal(amount), offer
pay = answered(Pay, pay_offer.sync(offer.offer_id, client=wallet))
assert pay.status is PayStatus.SUCCESS, pay
assert cast(object, pay.amount_from) == Decimal(amount), pay
print("python: payout done, decimals exact")
