"""The checks, each a claim of the Terminal port; they run in this order on one terminal."""

from collections.abc import Callable

from edge_bridge.conformance.bench import Bench
from edge_bridge.ports import (
    CloseRequest,
    Done,
    OrderRequest,
    PriceUnknown,
    Rejected,
    SymbolUnknown,
    TerminalUnavailable,
)

SECOND_NS = 1_000_000_000
HOUR_NS = 3_600 * SECOND_NS
NO_SUCH_SYMBOL = "NOSUCHSYMBOL"


def reading_before_connecting_is_unavailable(bench: Bench) -> None:
    try:
        bench.fresh().positions()
    except TerminalUnavailable:
        return
    bench.expect(not bench.owns_connection, "positions were given without a connection")


def connecting_tells_the_account_and_may_be_repeated(bench: Bench) -> None:
    first, second = bench.terminal.connect(), bench.terminal.connect()
    bench.expect(first.login == second.login and first.server == second.server, "another account")
    bench.expect(first.balance > 0 and first.leverage > 0, f"no money or leverage: {first}")
    bench.expect(first.trade_allowed, "programs may not trade: allow algorithmic trading first")


def an_unknown_symbol_is_told(bench: Bench) -> None:
    def is_told() -> bool | None:
        try:
            bench.terminal.instrument(NO_SUCH_SYMBOL)
        except SymbolUnknown:
            return True
        except PriceUnknown:  # not asked for before: the answer is on its way
            return None
        return False

    told = bench.wait_for(is_told, f"a word on {NO_SUCH_SYMBOL}")
    bench.expect(told, f"{NO_SUCH_SYMBOL} has rules")
    try:
        quote = bench.terminal.quote(NO_SUCH_SYMBOL)
    except SymbolUnknown:
        return
    bench.expect(quote is None, f"{NO_SUCH_SYMBOL} has a quote")


def the_instrument_is_complete(bench: Bench) -> None:
    rules = bench.terminal.instrument(bench.symbol)
    bench.expect(0 < rules.volume_min <= rules.volume_max and rules.volume_step > 0, f"{rules}")
    bench.expect(rules.tick_value > 0 and rules.margin_per_lot > 0, f"no money values: {rules}")
    bench.expect(rules.trade_allowed, f"{bench.symbol} cannot be traded both ways")


def the_quote_is_a_price_of_now(bench: Bench) -> None:
    quote = bench.wait_for(lambda: bench.terminal.quote(bench.symbol), "a quote")
    bench.expect(0 < quote.bid <= quote.ask, f"{quote}")
    newest = bench.terminal.bars(bench.symbol, "M1", 1)[-1].time_ns
    bench.expect(abs(quote.time_ns - newest) < HOUR_NS, "quote and bars are of different times")


def a_market_order_opens_one_position_with_its_magic(bench: Bench) -> None:
    position = bench.open("buy")
    deals = [d for d in bench.terminal.deals_since(position.time_ns - HOUR_NS)
             if d.magic == position.magic]  # fmt: skip
    bench.expect(len(deals) >= 1, "no deal has the order's magic")
    bench.expect(all(d.entry == "in" and d.position == position.identifier for d in deals),
                 f"strange deals: {deals}")  # fmt: skip
    bench.expect(sum(d.volume for d in deals) == position.volume, "volumes of deals and position")
    bench.close(position)


def begin_answers_like_send(bench: Bench) -> None:
    magic = bench.next_magic()
    handle = bench.terminal.begin(
        OrderRequest("conformance", bench.symbol, "sell", bench.smallest(), magic=magic)
    )
    answer = bench.wait_for(handle.poll, "the answer")
    bench.expect(isinstance(answer, Done), f"answered {answer}")
    bench.expect(handle.poll() == answer, "asked again, the handle said something else")
    position = bench.wait_for(lambda: bench.find(magic), "the position")
    closing = bench.terminal.begin(CloseRequest(position))
    bench.expect(isinstance(bench.wait_for(closing.poll, "the answer"), Done), "close refused")
    bench.wait_for(lambda: bench.is_flat(position) or None, "the end of the position")


def volumes_that_break_the_rules_are_refused(bench: Bench) -> None:
    rules = bench.terminal.instrument(bench.symbol)
    for volume in (0, rules.volume_max + rules.volume_step):
        magic = bench.next_magic()
        request = OrderRequest("conformance", bench.symbol, "buy", volume, magic=magic)
        answer = bench.terminal.send(request)
        bench.expect_refused(answer, f"volume {volume}", ("volume", "invalid_request", "no_money"))
        bench.expect(bench.find(magic) is None, "something was opened all the same")


def stops_are_set_moved_and_guarded(bench: Bench) -> None:
    rules = bench.terminal.instrument(bench.symbol)
    quote = bench.wait_for(lambda: bench.terminal.quote(bench.symbol), "a quote")
    far = max(20 * (quote.ask - quote.bid), 4 * rules.stops_level, 200)
    stop, target = quote.bid - far, quote.ask + far
    position = bench.open("buy", stop_loss=stop, take_profit=target)
    bench.expect((position.stop_loss, position.take_profit) == (stop, target), f"{position}")
    moved = bench.terminal.move_stops(position, stop + far // 4, target)
    bench.expect(isinstance(moved, Done), f"moving the stop was answered {moved}")
    again = bench.terminal.move_stops(position, stop + far // 4, target)
    bench.expect_refused(again, "moving it to where it is", ("no_change",))
    wrong = bench.terminal.move_stops(position, quote.ask + far, target)
    bench.expect_refused(wrong, "a stop on the wrong side", ("stops", "invalid_request"))
    bench.close(position)


def a_part_can_be_closed(bench: Bench) -> None:
    position = bench.open("sell")
    answer = bench.terminal.close_position(position, volume=position.volume // 2, deviation=50)
    bench.expect(isinstance(answer, Done), f"answered {answer}")
    rest = bench.wait_for(
        lambda: next((p for p in bench.terminal.positions()
                      if p.identifier == position.identifier and p.volume < position.volume), None),
        "the rest",
    )  # fmt: skip
    bench.expect(rest.volume == position.volume - position.volume // 2, f"{rest}")
    bench.close(rest)
    deals = [d for d in bench.terminal.deals_since(position.time_ns - HOUR_NS)
             if d.position == position.identifier]  # fmt: skip
    bench.expect([d.entry for d in deals].count("out") == 2, f"{deals}")
    bench.expect(sum(d.volume if d.entry == "in" else -d.volume for d in deals) == 0, "not flat")


def what_is_closed_cannot_be_closed_again(bench: Bench) -> None:
    position = bench.open("buy")
    bench.close(position)
    again = bench.terminal.close_position(position)
    bench.expect(isinstance(again, Rejected), f"closing again was answered {again}")


def money_adds_up(bench: Bench) -> None:
    before = bench.terminal.account()
    position = bench.open("buy")
    during = bench.terminal.account()
    bench.expect(during.margin > before.margin, "an open position binds no margin")
    bench.close(position)
    after = bench.terminal.account()
    own = [d for d in bench.terminal.deals_since(position.time_ns - HOUR_NS)
           if d.position == position.identifier]  # fmt: skip
    booked = sum(d.profit + d.commission + d.swap for d in own)
    moved = after.balance - before.balance
    bench.expect(moved == booked, f"the balance moved by {moved}, the deals say {booked}")


def a_long_or_foreign_comment_is_no_reason_to_refuse(bench: Bench) -> None:
    for comment in ("x" * 64, "sinyal \N{CHART WITH UPWARDS TREND}" * 8):
        magic = bench.next_magic()
        answer = bench.terminal.send(
            OrderRequest(
                "conformance", bench.symbol, "buy", bench.smallest(), magic=magic, comment=comment
            )
        )
        bench.expect(isinstance(answer, Done), f"comment {comment[:12]}... was answered {answer}")
        bench.close(bench.wait_for(lambda: bench.find(bench.magic), "the position"))


def history_is_ordered_and_within_its_bounds(bench: Bench) -> None:
    bars = bench.terminal.bars(bench.symbol, "M1", 50)
    times = [bar.time_ns for bar in bars]
    bench.expect(times == sorted(set(times)), "bars are not in order")
    bench.expect(all(b.low <= min(b.open, b.close) <= max(b.open, b.close) <= b.high for b in bars),
                 "a bar's prices are impossible")  # fmt: skip
    to_ns = times[-1] + 60 * SECOND_NS
    ticks = bench.terminal.ticks_between(bench.symbol, to_ns - 2 * HOUR_NS, to_ns)
    bench.expect(len(ticks.ts_ns) == len(ticks.bid) == len(ticks.ask) > 0, "no ticks are kept")
    bench.expect(list(ticks.ts_ns) == sorted(ticks.ts_ns), "ticks are not in order")
    bench.expect(ticks.ts_ns[0] >= to_ns - 2 * HOUR_NS and ticks.ts_ns[-1] < to_ns, "out of bounds")


def an_order_that_is_not_there_cannot_be_cancelled(bench: Bench) -> None:
    bench.expect(all(order.ticket > 1 for order in bench.terminal.pending_orders()), "ticket 1")
    answer = bench.terminal.cancel_order(1, bench.symbol)
    bench.expect(isinstance(answer, Rejected), f"answered {answer}")


def positions_outlive_the_connection(bench: Bench) -> None:
    position = bench.open("buy")
    bench.terminal.disconnect()
    if bench.owns_connection:
        request = OrderRequest("conformance", bench.symbol, "buy", position.volume)
        answer = bench.terminal.send(request)
        bench.expect(not isinstance(answer, Done), "an order left without a connection")
    bench.terminal.connect()
    found = bench.wait_for(lambda: bench.find(position.magic), "the position after reconnecting")
    bench.expect(found.identifier == position.identifier, "another identifier after reconnecting")
    bench.close(found)


CHECKS: tuple[Callable[[Bench], None], ...] = (
    reading_before_connecting_is_unavailable,
    connecting_tells_the_account_and_may_be_repeated,
    an_unknown_symbol_is_told,
    the_instrument_is_complete,
    the_quote_is_a_price_of_now,
    a_market_order_opens_one_position_with_its_magic,
    begin_answers_like_send,
    volumes_that_break_the_rules_are_refused,
    stops_are_set_moved_and_guarded,
    a_part_can_be_closed,
    what_is_closed_cannot_be_closed_again,
    money_adds_up,
    a_long_or_foreign_comment_is_no_reason_to_refuse,
    history_is_ordered_and_within_its_bounds,
    an_order_that_is_not_there_cannot_be_cancelled,
    positions_outlive_the_connection,
)
