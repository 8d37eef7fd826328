"""Midtrans' refusals, in the Core API's shape and in Snap's."""

import uuid

from iac.local.sandbox.provider import Reply, json_reply

MESSAGES = {
    400: "One or more parameters in the payload is invalid.",
    401: "Transaction cannot be authorized with the current client/server key.",
    402: "Payment channel is not activated.",
    404: "Transaction doesn't exist.",
    405: "HTTP method is not allowed.",
    406: "The request could not be completed due to a conflict with the current state of the "
    "target resource, please try again",
    407: "Expired transaction",
    410: "Merchant account is blocked, please contact support.",
    411: "Card token is not valid.",
    412: "Transaction status cannot be updated.",
    413: "The request cannot be processed due to malformed syntax in the request body.",
    414: "Refund request is rejected due to invalid amount.",
    429: "API rate limit exceeded. Please try again later.",
    500: "Sorry, we encountered internal server error. We will fix this soon.",
    502: "Sorry, we encountered an issue with our upstream partner.",
    503: "Sorry, our system is under maintenance.",
}


def refuse(status: int, *validation: str, http_status: int | None = None) -> Reply:
    """Refuse a Core API call; the code clients must read is the one in the body."""
    document: dict[str, object] = {
        "status_code": str(status),
        "status_message": MESSAGES.get(status, MESSAGES[500]),
        "id": str(uuid.uuid4()),
    }
    if validation:
        document["validation_messages"] = list(validation)
    return json_reply(http_status or status, document)


def refuse_snap(status: int, *messages: str) -> Reply:
    """Refuse a Snap call."""
    return json_reply(status, {"error_messages": list(messages) or [MESSAGES.get(status, "error")]})
