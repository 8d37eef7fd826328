"""What the authorizer tells API Gateway: the policy, and the context that every door reads."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from contracts.permissions import Route, decide
from functions.api_gateway.models import Identity, Verdict

DAY_S = 86_400
DETAIL_CHARACTERS_MAX = 300
SPENT = ("rate_limited", "quota_exhausted")
"""Verdicts on how often somebody asks, who is known and may."""


def judge_route(
    route: Route | None, who: Identity, verdict: Verdict, now: datetime
) -> tuple[Identity, Verdict]:
    """Decide by the permissions table what the counters let through, under the tenant's own tier.

    A path without a row opens nothing: its door says that there is no such route.
    """
    who = replace(who, tier=verdict.tier)
    if route is not None and route.never_waits and verdict.kind in SPENT:
        verdict = replace(verdict, kind="admitted", code="", detail="", retry_after_s=0)
    if verdict.kind != "admitted":
        return who, verdict
    if route is None:
        return who, replace(verdict, kind="unlisted", code="not_found")
    refusal = decide(route, who, now)
    if refusal is None:
        return who, verdict
    return who, replace(verdict, kind="forbidden", code=refusal.code, detail=refusal.detail)


def refuse_unaudited(verdict: Verdict) -> Verdict:
    """Staff access that cannot be written down does not take place."""
    detail = "staff access cannot be audited just now; try again in a moment"
    return replace(verdict, kind="limiter_unavailable", code="limiter_unavailable", detail=detail)


def build_policy(who: Identity, verdict: Verdict, method_arn: str) -> dict[str, Any]:
    """Let the request through to its door with who asks and what was decided; doors refuse."""
    stage_arn = "/".join(method_arn.split("/")[:2])
    limit, policy = describe_limits(verdict)
    stepped_up = who.stepped_up_at
    return {
        "principalId": str(who.user_id),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": f"{stage_arn}/*",
                }
            ],
        },
        "context": {
            "user_id": str(who.user_id),
            "tenant_id": str(who.tenant_id),
            "role": who.role,
            "tier": who.tier,
            "scope": who.scope,
            "session_id": str(who.subject_id) if who.credential == "session" else "",
            "platform_admin": "true" if who.platform_admin else "false",
            "support": "true" if who.support else "false",
            "credential": who.credential,
            "key_id": str(who.subject_id) if who.credential == "api_key" else "",
            "stepped_up_at": str(int(stepped_up.timestamp())) if stepped_up else "",
            "verdict": verdict.kind,
            "refusal_code": verdict.code,
            "refusal_detail": verdict.detail[:DETAIL_CHARACTERS_MAX],
            "rate_limit": limit,
            "rate_limit_policy": policy,
            "retry_after": str(verdict.retry_after_s) if verdict.retry_after_s else "",
        },
    }


def describe_limits(verdict: Verdict) -> tuple[str, str]:
    """The values of RateLimit and RateLimit-Policy; empty where nothing was counted."""
    if verdict.limits is None:
        return "", ""
    rate, burst, quota = verdict.limits
    policy = f'"burst";q={burst};w={-(-burst // rate)}'
    if quota is not None:
        policy += f', "day";q={quota};w={DAY_S}'
    if verdict.kind == "rate_limited" or quota is None:
        wait_s = verdict.retry_after_s or 1
        return f'"burst";r={verdict.burst_left};t={wait_s}', policy
    return f'"day";r={verdict.day_left};t={verdict.day_ends_in_s}', policy
