"""The account's books: active and past orders, deals, open positions, balance, ticket numbers.

Rows are the only way to change them, live and after a restart, so a restored ledger is the same.
"""

from edge_bridge.adapters.paper.rows import DealRow, OrderRow, PositionRow, Row

FIRST_ORDER = 50_000_001
FIRST_DEAL = 40_000_001


class Ledger:
    """Current state of one account; positions are kept by identifier."""

    def __init__(self) -> None:
        self.orders: dict[int, OrderRow] = {}
        self.past_orders: dict[int, OrderRow] = {}
        self.deals: dict[int, DealRow] = {}
        self.positions: dict[int, PositionRow] = {}
        self.balance = 0
        self.next_order = FIRST_ORDER
        self.next_deal = FIRST_DEAL

    def find_position(self, ticket: int) -> PositionRow | None:
        """Find an open position by its ticket; a reversal gives it another one."""
        row = self.positions.get(ticket)
        if row is not None and row.ticket == ticket:
            return row
        return next((each for each in self.positions.values() if each.ticket == ticket), None)

    def find_net(self, symbol: str) -> PositionRow | None:
        """Find the one position of a symbol on a netting account."""
        return next((each for each in self.positions.values() if each.symbol == symbol), None)

    def put(self, row: Row) -> None:
        """Take a new or changed row into the books."""
        if isinstance(row, PositionRow):
            self._put_position(row)
        elif isinstance(row, OrderRow):
            self._put_order(row)
        else:
            self._put_deal(row)

    def _put_position(self, row: PositionRow) -> None:
        if row.volume:
            self.positions[row.identifier] = row
        else:
            del self.positions[row.identifier]

    def _put_order(self, row: OrderRow) -> None:
        self.next_order = max(self.next_order, row.ticket + 1)
        if row.time_done_msc:
            self.orders.pop(row.ticket, None)
            self.past_orders[row.ticket] = row
        else:
            self.orders[row.ticket] = row

    def _put_deal(self, row: DealRow) -> None:
        assert row.ticket not in self.deals, "a deal is final"
        self.next_deal = max(self.next_deal, row.ticket + 1)
        self.deals[row.ticket] = row
        self.balance += row.profit + row.commission + row.swap + row.fee
