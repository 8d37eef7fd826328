"""The watch's decisions, without a process: bounds, back-off, circuit, one process an account."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_bridge.workers.policy import SECOND_NS, AccountWatch, WatchSettings

SETTINGS = WatchSettings()
MS = 1_000_000


class World:
    """A clock, and a watch whose steps are carried out at once."""

    def __init__(self, draw: Callable[[], float] = lambda: 1.0, **changes: Any) -> None:
        self.now_ns = 0
        self.settings = WatchSettings(**changes)
        self.watch = AccountWatch(self.settings, draw, self.now_ns)
        self.steps: list[tuple[int, str]] = []

    def look(self) -> str | None:
        step = self.watch.advance(self.now_ns)
        if step is not None:
            self.steps.append((self.now_ns, step))
        return step

    def run(self, seconds: float, *, until: str | None = None) -> None:
        """Pass time in steps of 50 ms, and look each time."""
        for _ in range(int(seconds * 20)):
            self.now_ns += 50 * MS
            if self.look() == until and until is not None:
                return

    def start(self) -> None:
        while self.look() != "start":
            self.now_ns += 50 * MS
        self.watch.note_ready(self.now_ns)

    def crash(self) -> None:
        self.start()
        self.watch.note_exit(self.now_ns, "exited with code -11")


def test_a_worker_is_started_at_once_and_is_connected_when_its_terminal_is_open() -> None:
    world = World()
    assert world.watch.health == "starting"
    assert world.look() == "start"
    assert world.look() is None
    world.watch.note_ready(world.now_ns)
    assert (world.watch.health, world.watch.restarts) == ("connected", 0)


def test_silence_kills_and_the_reason_stays_visible_until_it_is_connected_again() -> None:
    world = World()
    world.start()
    world.run(19.9)
    assert world.watch.health == "connected"
    world.run(0.2)
    assert world.steps[-1][1] == "kill"
    assert (world.watch.health, world.watch.reason) == ("hung", "silent for more than 20 s")
    world.watch.note_exit(world.now_ns, "exited with code -9")
    assert (world.watch.health, world.watch.reason) == ("backing_off", "silent for more than 20 s")
    world.start()
    assert (world.watch.health, world.watch.reason) == ("connected", "")
    assert world.watch.restarts == 1


def test_signs_of_life_keep_a_worker_alive() -> None:
    world = World()
    world.start()
    for _ in range(100):
        world.run(15)
        world.watch.note_sign(world.now_ns)
    assert [step for _, step in world.steps] == ["start"]


def test_a_process_that_survives_its_kill_is_killed_again_and_nothing_is_started_beside_it() -> (
    None
):
    world = World()
    world.start()
    world.run(60)
    assert [step for _, step in world.steps][:3] == ["start", "kill", "kill"]
    assert "start" not in [step for _, step in world.steps][1:]


def test_back_off_doubles_up_to_its_bound() -> None:
    world = World(failures_max=50)
    waits = []
    for _ in range(10):
        world.crash()
        ended_ns = world.now_ns
        while world.look() != "start":
            world.now_ns += 50 * MS
        waits.append((world.now_ns - ended_ns) // SECOND_NS)
        world.watch.note_exit(world.now_ns, "again")
    assert waits[:4] == [1, 4, 16, 60]
    assert max(waits) == 60


def test_so_many_failures_in_the_window_open_the_circuit_and_one_trial_closes_it() -> None:
    world = World()
    for _ in range(5):
        assert world.watch.health != "circuit_open"
        world.crash()
    assert (world.watch.health, world.watch.reason) == ("circuit_open", "exited with code -11")
    starts = world.watch.starts
    world.run(59.9)
    assert world.watch.starts == starts
    world.start()
    for _ in range(4):
        world.run(15)
        world.watch.note_sign(world.now_ns)
    world.watch.note_exit(world.now_ns, "once more")
    assert world.watch.health == "backing_off"


def test_a_failed_trial_opens_the_circuit_for_longer() -> None:
    world = World()
    for _ in range(5):
        world.crash()
    spans = []
    for _ in range(9):
        opened_ns = world.now_ns
        world.crash()
        spans.append((world.now_ns - opened_ns) // SECOND_NS)
        assert world.watch.health == "circuit_open"
    assert spans == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_failures_outside_the_window_do_not_open_the_circuit() -> None:
    world = World()
    for _ in range(20):
        world.crash()
        world.now_ns += 160 * SECOND_NS
    assert world.watch.health == "backing_off"


def test_a_refused_password_opens_the_circuit_at_once_and_waits_for_a_change() -> None:
    world = World()
    world.look()
    world.watch.note_refused(world.now_ns, "authorisation refused (-6)")
    assert world.look() == "ask"
    assert world.watch.health == "circuit_open"
    world.watch.note_exit(world.now_ns, "exited with code 1")
    world.run(100_000)
    assert world.watch.starts == 1
    assert (world.watch.health, world.watch.reason) == (
        "circuit_open",
        "authorisation refused (-6)",
    )
    world.watch.change(world.now_ns)
    assert world.look() == "start"


def test_a_hand_closes_the_circuit() -> None:
    world = World()
    world.watch.note_refused(world.now_ns, "another terminal")
    assert world.look() is None
    world.watch.retry(world.now_ns)
    assert world.look() == "start"


def test_a_change_ends_the_old_process_before_the_new_one_starts() -> None:
    world = World()
    world.start()
    world.watch.change(world.now_ns)
    assert world.look() == "ask"
    world.run(4.9)
    assert world.look() is None
    world.run(0.2)
    assert world.steps[-1][1] == "kill"
    world.watch.note_exit(world.now_ns, "killed")
    assert (world.watch.health, world.look()) == ("starting", "start")


def test_a_terminal_that_comes_and_goes_is_given_up_for_a_while() -> None:
    world = World()
    world.start()
    for _ in range(4):
        world.watch.note_lost(world.now_ns, "pipe died (-10001)")
        assert world.watch.health == "disconnected"
        world.watch.note_ready(world.now_ns)
    world.watch.note_lost(world.now_ns, "pipe died (-10001)")
    assert world.look() == "ask"
    world.watch.note_exit(world.now_ns, "exited with code 0")
    assert (world.watch.health, world.watch.reason) == ("circuit_open", "pipe died (-10001)")


def test_a_stop_holds_whatever_comes_after_it() -> None:
    world = World()
    world.start()
    world.watch.stop(world.now_ns)
    assert world.look() == "ask"
    world.watch.note_sign(world.now_ns)
    world.watch.note_refused(world.now_ns, "late")
    world.watch.note_exit(world.now_ns, "exited with code 0")
    world.run(1_000)
    assert (world.watch.health, world.watch.starts) == ("stopped", 1)


@given(
    draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=1),
    failures=st.integers(1, 40),
)
def test_waiting_is_never_shorter_than_half_the_first_step_nor_longer_than_its_bound(
    draws: list[float], failures: int
) -> None:
    numbers = iter(draws * (failures + 1))
    world = World(lambda: next(numbers), failures_max=1_000)
    for _ in range(failures):
        world.crash()
        waited_ns = world.watch._due_ns - world.now_ns  # type: ignore[operator]
        assert SETTINGS.backoff_first_ns // 2 <= waited_ns <= SETTINGS.backoff_max_ns
        world.now_ns += waited_ns


class AnyLife(RuleBasedStateMachine):
    """Everything that can happen to a worker, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0
        self.chance = 0.5
        self.watch = AccountWatch(SETTINGS, lambda: self.chance, 0)
        self.running = False
        self.asked = False
        self.stopped = False
        self.latched = False

    @rule(ms=st.sampled_from([0, 50, 1_000, 20_001, 110_001, 3_600_001]))
    def pass_time(self, ms: int) -> None:
        self.now_ns += ms * MS

    @rule(chance=st.floats(0, 1, exclude_max=True), may_start=st.booleans())
    def look(self, chance: float, may_start: bool) -> None:
        self.chance = chance
        step = self.watch.advance(self.now_ns, may_start=may_start)
        if step == "start":
            assert may_start
            assert not self.running
            assert not self.stopped
            assert not self.latched
            self.running, self.asked = True, False
        elif step == "kill":
            assert self.running
        elif step == "ask":
            assert self.running
            self.asked = True

    @precondition(lambda self: self.running)
    @rule(event=st.sampled_from(["ready", "sign", "lost", "protocol"]))
    def speak(self, event: str) -> None:
        match event:
            case "ready":
                self.watch.note_ready(self.now_ns)
            case "sign":
                self.watch.note_sign(self.now_ns)
            case "lost":
                self.watch.note_lost(self.now_ns, "pipe died")
            case "protocol":
                self.watch.note_protocol(self.now_ns, "nonsense")

    @precondition(lambda self: self.running)
    @rule()
    def refuse(self) -> None:
        leaving = self.watch._is_leaving()
        self.watch.note_refused(self.now_ns, "wrong password")
        self.latched = self.latched or not leaving

    @precondition(lambda self: self.running)
    @rule()
    def exit(self) -> None:
        self.running = False
        self.watch.note_exit(self.now_ns, "exited")

    @rule()
    def change(self) -> None:
        self.watch.change(self.now_ns)
        self.latched = self.stopped = False

    @rule()
    def retry(self) -> None:
        if self.watch.phase == "given_up":
            self.latched = False
        self.watch.retry(self.now_ns)

    @rule()
    def stop(self) -> None:
        self.watch.stop(self.now_ns)
        self.stopped, self.latched = True, False

    @invariant()
    def knows_whether_a_process_lives(self) -> None:
        assert self.watch.alive == self.running

    @invariant()
    def a_living_process_always_has_a_deadline(self) -> None:
        if self.running:
            bound = max(SETTINGS.start_max_ns, SETTINGS.silence_max_ns)
            assert self.watch._due_ns is not None
            assert self.watch._due_ns <= self.now_ns + bound

    @invariant()
    def waiting_is_bounded(self) -> None:
        if not self.running and self.watch._due_ns is not None:
            assert self.watch._due_ns <= self.now_ns + SETTINGS.open_max_ns

    @invariant()
    def an_open_circuit_says_why(self) -> None:
        if self.watch.health in ("circuit_open", "hung", "backing_off", "disconnected"):
            assert self.watch.reason or self.watch.phase == "ending"


TestAnyLife = AnyLife.TestCase
