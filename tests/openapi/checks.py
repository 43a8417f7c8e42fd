"""What Landfall promises beyond what Schemathesis checks by itself (SCHEMATHESIS_HOOKS)."""

import json
import re

import demonstration
import schemathesis
from hypothesis.internal.conjecture import engine as conjecture
from schemathesis.generation.meta import TestPhase
from schemathesis.generation.stateful import control
from schemathesis.generation.stateful.control import TransitionController
from schemathesis.specs.openapi import stateful

# Codes that say the request isn't of the described shape. What is of that shape never gets them. INVALID_VALUE isn't among them: that an id
# names nothing, or a time is over, is told so too.
MALFORMED = {
    "MALFORMED_JSON", "WRONG_TYPE", "MISSING", "UNKNOWN_MEMBER", "DUPLICATE_MEMBER", "WRONG_LENGTH", "OUT_OF_RANGE", "TYPE_MISMATCH",
    "UNKNOWN_PARAMETER", "INVALID_PARAMETER", "INVALID_HEADER", "UNSUPPORTED_MEDIA_TYPE", "NOT_VALID_REQUEST_DATA",
}
# Where a rule is told as what a schema could tell: cursors are of one list, an amount has its currency's decimals, If-Match and `version`
# agree, a card's number has a check digit and its expiry isn't twenty years ahead, a batch's point is there, an id is written without a
# fraction, a time is ahead, the larger of two isn't the smaller one, a token's level is at most its customer's, a limit isn't below the tries that were
# made, options that are empty change nothing, a scheme's body has a schema of its own.
BY_RULE = {
    "page[cursor]", "cursor", "amount", "amountTo", "If-Match", "version", "cardNumber", "cardExpirationYear", "cardExpirationMonth",
    "point_id", "cardId", "to", "/data/attributes/to", "/data/attributes/amount_max", "/data/attributes/cost_max",
    "/data/attributes/kyc_level", "/data/attributes/options/attempts_limit", "/data/attributes/options/expires_at", "/data/attributes",
}
SCHEME = "/data/attributes/body"


def begins_a_sequence(operation, *_):
    """Whether a sequence can begin with an operation. Schemathesis takes X-Request-Id and reference_id for ids of things that nobody makes,
    and so would begin with nothing that we have."""
    return operation.method in ("get", "post") and not operation.path_parameters


def begins_another(self, source, bundles):
    """Whether a sequence that has begun asks for something of another kind: once, and else where nothing is left to be done with what
    it has. Schemathesis would begin twice with each."""
    return len(self.productive_roots) < BEGINNINGS or begins_when_stuck(self, source, bundles)


# Hypothesis gives up where few of its draws make a sequence, which costs little here.
conjecture.INVALID_THRESHOLD_BASE = 20_000
BEGINNINGS = 2
begins_when_stuck = TransitionController.allow_root_transition
control.MAX_ROOT_SOURCES = 0
TransitionController.allow_root_transition = begins_another
stateful.is_likely_root_transition = begins_a_sequence


@schemathesis.hook
def map_case(context, case):
    """Sequences go on where their requests name what is there; what single requests draw stays as it is."""
    demonstration.spare(case)
    meta = case.meta
    if meta is not None and meta.generation.mode.is_positive and meta.phase.name == TestPhase.STATEFUL:
        demonstration.make_good(case)
    return case


def errors_of(response):
    """Each error's code, and what it is about."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return []
    if not isinstance(body, dict):
        return []
    if isinstance(body.get("errors"), list):
        return [(error["code"], next(iter(error.get("source", {}).values()), None)) for error in body["errors"]]
    return [(body["error"], body.get("field"))] if isinstance(body.get("error"), str) else []


@schemathesis.check
def described_code(ctx, response, case):
    """Every code that is answered is named by the operation, with that status."""
    if response.status_code < 400 or response.status_code == 405:
        return
    described = case.operation.definition.raw["responses"].get(str(response.status_code), {}).get("description", "")
    named = set(re.findall(r"`([A-Za-z_0-9]+)`", described))
    unnamed = [code for code, _ in errors_of(response) if code not in named]
    assert not unnamed, f"{response.status_code} with codes that the operation doesn't name: {unnamed}"


@schemathesis.check
def described_shape_is_read(ctx, response, case):
    """What the description allows isn't refused as malformed."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code < 400:
        return
    # Every body is an object. Where a schema has an `if`, Schemathesis takes other values for valid.
    if case.media_type and case.media_type.endswith("json") and not isinstance(case.body, dict):
        return
    malformed = [(code, about) for code, about in errors_of(response) if code in MALFORMED and about not in BY_RULE and not str(about).startswith(SCHEME)]
    assert not malformed, f"{response.status_code} {malformed} for what the description allows"
