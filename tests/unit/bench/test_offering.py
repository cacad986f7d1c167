from __future__ import annotations

from bench.offering import Done, Offered, Sent, wrongs

HELD = Done("c1-1", "load-1", "Hello 1", "COMPLETED", "2026-11-25T10:00:00Z", "2026-11-25T10:00:01Z")
NEXT = Done("c1-2", "load-1", "Hello 2", "COMPLETED", "2026-11-25T10:00:01Z", "2026-11-25T10:00:02Z")


def sent(number: int, status: int = 202, *, run_id: str = "", retry_after: bool = False) -> Sent:
    return Sent(number, "load-1", status, 0.1, run_id, retry_after)


def test_runs_that_were_all_accepted_and_followed_each_other_are_right():
    assert wrongs([sent(1, run_id="c1-1"), sent(2, run_id="c1-2")], [], [NEXT, HELD]) == ()


def test_what_is_lost_doubled_failed_out_of_turn_or_unheard_of_is_told():
    early = Done("c1-2", "load-1", "Hello 2", "FAILED", "2026-11-25T10:00:00Z", "2026-11-25T10:00:02Z")
    again = Done("c2-1", "load-2", "Hello 1", "COMPLETED", "", "")
    other = Done("c3-1", "load-3", "Hello 3", "COMPLETED", "", "")
    accepted = [sent(1, run_id="c1-1"), sent(2, run_id="c1-2"), sent(4, run_id="c4-1")]

    assert wrongs(accepted, [], [HELD, early, again, other]) == (
        "lost: c4-1",
        "begun 2 times: Hello 1",
        "nobody was told of: c3-1",
        "FAILED: c1-2",
        "overtook the turn before it: c1-2",
    )


def test_a_request_whose_answer_never_came_may_have_begun_a_run_and_may_not():
    assert wrongs([], [sent(1, status=0), sent(2, status=504)], [HELD]) == ()


def test_refusals_have_to_say_when_to_come_again_and_nothing_else_may_be_answered():
    answers = (sent(1), sent(2, 429, retry_after=True), sent(3, 503), sent(4, 500), sent(5, 0))

    offered = Offered(2.0, 2.5, answers, left=0)

    assert len(offered.accepted) == 1
    assert len(offered.refused) == 2
    assert offered.problems == (
        "1 answers that never came",
        "1 answers 500",
        "1 refusals without Retry-After",
    )
