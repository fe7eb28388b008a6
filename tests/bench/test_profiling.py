"""A sample counts for the step that its innermost known frame belongs to."""

import pytest

from bench.profiling import READ, REST, shares, step_of, table

LOOP = "run_forever (asyncio/base_events.py:603)"
AGENT = "create_agents.<locals>.keep_scores (streams/agents.py:30)"


@pytest.mark.parametrize(
    ("frames", "step"),
    [
        (["Scorekeeper.step (streams/scorekeeper.py:1)", "step (models/step.py:9)",
          "Part.apply (models/batch.py:1)", "State.apply (models/facts.py:3)"],
         "apply: facts, ids, days"),
        (["Part.customer (models/batch.py:8)", "decode (models/state.py:2)"],
         "apply: decode states"),
        (["Transactions._send (streams/transport/transaction.py:1)",
          "BatchBuilder.append (aiokafka/producer/message_accumulator.py:2)"],
         "send: records into batches"),
        (["Fetcher._fetch (aiokafka/consumer/fetcher.py:3)"], READ),
        (["a_function (somewhere/else.py:3)"], "agent: freeing what a batch held"),
    ],
)  # fmt: skip
def test_the_innermost_known_frame_decides(frames: list[str], step: str) -> None:
    assert step_of(";".join([LOOP, AGENT, *frames])) == step


def test_a_stack_that_no_step_knows_is_the_rest() -> None:
    assert step_of("main (somewhere/else.py:3)") == REST


def test_waiting_is_not_counted() -> None:
    waits = f"{LOOP};EpollSelector.select (selectors.py:468) 50"
    works = f"{LOOP};{AGENT} 3"
    assert shares([waits, works]) == {"agent: freeing what a batch held": 1.0}


def test_the_table_splits_the_cost_of_an_event() -> None:
    shown = table([f"{LOOP} 1", f"{AGENT} 3"], 20.0, {"event loop": 0.5})
    assert "| event loop | 5.00 | 25% | 0.50 |" in shown
    assert "| all | 20.00 | 100% | 0.50 |" in shown
