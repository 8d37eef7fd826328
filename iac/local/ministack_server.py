"""MiniStack's own server with a shorter pause in its queue poller.

After a wake that found nothing the poller sleeps 50 ms, which a paced replay meets at every hop.
Run by path under ``-P``, so that neither it nor the functions see the working copy.
"""

from ministack.app import main
from ministack.services import lambda_svc

IDLE_WAKE_GAP_S = 0.002

assert hasattr(lambda_svc, "_ESM_IDLE_WAKE_GAP_SECONDS"), "MiniStack's poller has changed"
lambda_svc._ESM_IDLE_WAKE_GAP_SECONDS = IDLE_WAKE_GAP_S

if __name__ == "__main__":
    main()
