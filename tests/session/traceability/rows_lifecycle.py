"""Rows of section 2: the transition table (11-18 as design D10 has them) and the invariants L1-L21."""

from __future__ import annotations

from .model import LIFECYCLE, mutant, tested

TABLE = "session/lifecycle.py"
CELLS = "session/transitions.py"
CONTEXT = "session/context.py"

ROWS = (
    # transitions
    tested(
        "row1",
        "a start leads to PROCESSING",
        [LIFECYCLE + "test_l2_start_is_legal_once"],
        mutant(
            "the start asks to wait for the log",
            CELLS,
            'effect=Effect.CONTINUE, message="Session started"',
            'effect=Effect.WAIT_FOR_LOG, message="Session started"',
        ),
    ),
    tested(
        "row2",
        "a turn without a session id fails",
        [LIFECYCLE + "test_l4_a_turn_needs_a_session_id"],
        mutant(
            "a missing session id is no matter",
            CELLS,
            "if not event.has_session_id:",
            "if event.has_session_id is None:",
        ),
    ),
    tested(
        "row3",
        "a turn with a session id waits for the log",
        [LIFECYCLE + "test_l4_a_turn_needs_a_session_id"],
        mutant(
            "the log is not waited for after a turn",
            CELLS,
            "state=LifecycleState.AWAITING_LOG, effect=Effect.WAIT_FOR_LOG",
            "state=LifecycleState.AWAITING_LOG, effect=Effect.RUN_GATE",
        ),
    ),
    tested(
        "row4",
        "a ready log leads to the gate",
        [LIFECYCLE + "test_l5_the_log_leads_to_the_gate_or_to_no_log"],
        mutant(
            "the gate is not asked for after the log",
            CELLS,
            "state=LifecycleState.RUNNING_GATE, effect=Effect.RUN_GATE",
            "state=LifecycleState.RUNNING_GATE, effect=Effect.CONTINUE",
        ),
    ),
    tested(
        "row5",
        "a log that does not come fails and is named",
        [LIFECYCLE + "test_l5_the_log_leads_to_the_gate_or_to_no_log"],
        mutant(
            "the path of the log is left out",
            CELLS,
            "not ready in time: {event.log_path}{detail}",
            "not ready in time{detail}",
        ),
    ),
    tested(
        "row6",
        "every gate result is kept, its resolution also when there is none",
        [LIFECYCLE + "test_l9_every_gate_result_sets_the_resolution_even_to_none"],
        mutant(
            "an older resolution outlives a newer gate",
            CELLS,
            '"resolution": gate.resolution}',
            '"resolution": gate.resolution or ctx.resolution}',
        ),
    ),
    tested(
        "row7",
        "a passed gate with a commit leads to the review",
        [LIFECYCLE + "test_l6_a_passed_gate_with_a_commit_is_reviewed"],
        mutant(
            "the wrong limit is told before a review",
            CELLS,
            "Gate passed, review {attempt}/{config.max_review_retries}",
            "Gate passed, review {attempt}/{config.max_gate_retries}",
        ),
    ),
    tested(
        "row8",
        "a passed gate with nothing to review is the end",
        [LIFECYCLE + "test_l7_without_commit_or_review_the_gate_decides"],
        mutant(
            "no commit is reviewed too",
            CELLS,
            "config.review_enabled and gate.commit_hash and ended_well is None",
            "config.review_enabled and ended_well is None",
        ),
    ),
    tested(
        "row9",
        "a failed gate sends back while there are attempts, and its commit is remembered",
        [LIFECYCLE + "test_l10_a_failed_gate_with_budget_sends_back"],
        mutant(
            "the older commit is remembered",
            CELLS,
            '"previous_commit_hash": gate.commit_hash,',
            '"previous_commit_hash": retry.previous_commit_hash,',
        ),
    ),
    tested(
        "row10",
        "a failed gate without attempts left ends with all reasons",
        [LIFECYCLE + "test_l11_a_failed_gate_without_budget_or_progress_ends"],
        mutant(
            "only the first reason is in the summary",
            CELLS,
            '"; ".join(gate.failure_reasons)',
            '"; ".join(gate.failure_reasons[:1])',
        ),
    ),
    tested(
        "row11",
        "every review is kept",
        [LIFECYCLE + "test_l17_x1_no_progress_fails_whatever_the_review_says"],
        mutant(
            "the review is not kept in the context",
            CELLS,
            '{"last_review_result": review, "review_answer_due": False}',
            '{"review_answer_due": False}',
        ),
    ),
    tested(
        "row12",
        "a passed review, or one that names only what does not block, is success",
        [LIFECYCLE + "test_l12_findings_that_do_not_block_are_kept"],
        mutant("only a passed review is success", CELLS, "if review.passed or issues:", "if review.passed:"),
    ),
    tested(
        "row13",
        "a fatal review ends at once",
        [LIFECYCLE + "test_l16_x3_a_fatal_review_ends_at_once"],
        mutant(
            "a fatal review counts only without a text",
            CELLS,
            "if review.fatal_error:",
            "if review.fatal_error and not review.parse_error:",
        ),
    ),
    tested(
        "row14",
        "an unusable review is run again on the review budget",
        [LIFECYCLE + "test_l15_an_unusable_review_is_run_again_within_the_budget"],
        mutant(
            "a re-run of a review costs nothing",
            CELLS,
            'retry = {"review_attempt": attempt + 1}',
            'retry = {"review_attempt": attempt}',
        ),
    ),
    tested(
        "row15",
        "an unusable review at the budget ends with the parse error",
        [LIFECYCLE + "test_l15_an_unusable_review_is_run_again_within_the_budget"],
        mutant(
            "the parse error is left out at the budget",
            CELLS,
            '_REVIEW_FAILED + text, f"{what}, no retries left"',
            '_REVIEW_FAILED + what, f"{what}, no retries left"',
        ),
    ),
    tested(
        "row16",
        "a blocking review sends back while there are attempts",
        [LIFECYCLE + "test_l13_blocking_findings_send_back_whatever_passed_says"],
        mutant(
            "a review retry keeps the old log offset",
            CELLS,
            '            "log_offset": event.new_log_offset,\n            "review',
            '"review',
        ),
    ),
    tested(
        "row17",
        "no progress fails, whatever the review says",
        [LIFECYCLE + "test_l17_x1_no_progress_fails_whatever_the_review_says"],
        mutant(
            "a passed review hides no progress",
            CELLS,
            "if event.no_progress:",
            "if event.no_progress and not review.passed:",
        ),
    ),
    tested(
        "row18",
        "a blocking review at the budget names three findings",
        [LIFECYCLE + "test_l14_blocking_findings_at_the_budget_end_with_three_titles"],
        mutant("only two findings are named", CELLS, "blocking[:3]", "blocking[:2]"),
    ),
    tested(
        "row19",
        "a timeout ends every state that is no end, and tells the minutes",
        [LIFECYCLE + "test_l19_timeout_and_error_end_every_state"],
        mutant("seconds are told as minutes", CELLS, "{int(seconds // 60)} minutes", "{int(seconds)} minutes"),
    ),
    tested(
        "row20",
        "a timeout after the end changes nothing",
        [LIFECYCLE + "test_every_cell_does_what_it_says"],
        mutant(
            "a late event asks to go on",
            TABLE,
            "TransitionResult(self._state, Effect.COMPLETE_FAILURE, text)",
            "TransitionResult(self._state, Effect.CONTINUE, text)",
        ),
    ),
    tested(
        "row21",
        "an error ends every state that is no end, and is told",
        [LIFECYCLE + "test_l19_timeout_and_error_end_every_state"],
        mutant("the error is left out of the message", CELLS, 'f"Error: {_error_text(event.error)}"', '"Error"'),
    ),
    tested(
        "row22",
        "an error after the end is told and changes nothing",
        [LIFECYCLE + "test_l19_late_events_are_told_and_change_nothing"],
        mutant("a late error is told by its type", CELLS, "return _error_text(error)", "return type(error).__name__"),
    ),
    # invariants
    tested(
        "L1",
        "a lifecycle begins INITIAL; SUCCESS and FAILED are its ends",
        [LIFECYCLE + "test_l1_a_new_lifecycle_is_initial_and_only_two_states_are_terminal"],
        mutant(
            "a failed session is not over",
            TABLE,
            "in (LifecycleState.SUCCESS, LifecycleState.FAILED)",
            "in (LifecycleState.SUCCESS,)",
        ),
    ),
    tested(
        "L2",
        "a session is started once",
        [LIFECYCLE + "test_l2_start_is_legal_once"],
        mutant(
            "a second start is legal",
            TABLE,
            "_S.PROCESSING: {\n        happened.Started: ILLEGAL,",
            "_S.PROCESSING: {\n        happened.Started: cell.start,",
        ),
    ),
    tested(
        "L3",
        "an event in a wrong state raises and changes nothing",
        [LIFECYCLE + "test_every_cell_does_what_it_says"],
        mutant(
            "an illegal event is passed over",
            TABLE,
            "raise IllegalTransition(self._illegal_text(event))",
            "return TransitionResult(self._state, Effect.CONTINUE)",
        ),
    ),
    tested(
        "L4",
        "without a session id the session fails and says so",
        [LIFECYCLE + "test_l4_a_turn_needs_a_session_id"],
        mutant(
            "the missing session id is told in other words",
            CELLS,
            '"No session ID received from the agent"',
            '"The agent gave no id"',
        ),
    ),
    tested(
        "L5",
        "the log leads to the gate, its timeout to an end of its own",
        [LIFECYCLE + "test_l5_the_log_leads_to_the_gate_or_to_no_log"],
        mutant(
            "a missing log ends as an agent error", CELLS, "_failed(EndReason.NO_LOG,", "_failed(EndReason.AGENT_ERROR,"
        ),
    ),
    tested(
        "L6",
        "the first review is attempt 1",
        [LIFECYCLE + "test_l6_a_passed_gate_with_a_commit_is_reviewed"],
        mutant(
            "the first review is not counted",
            CELLS,
            '{"review_attempt": attempt, "agent_reply": ctx.final_result}',
            '{"agent_reply": ctx.final_result}',
        ),
    ),
    tested(
        "L7",
        "without a commit, or with review off, a passed gate is success",
        [LIFECYCLE + "test_l7_without_commit_or_review_the_gate_decides"],
        mutant(
            "review can't be switched off in the lifecycle",
            CELLS,
            "config.review_enabled and gate.commit_hash and ended_well is None",
            "gate.commit_hash and ended_well is None",
        ),
    ),
    tested(
        "L8",
        "three resolutions skip the review, a plain success does not",
        [LIFECYCLE + "test_l8_resolutions_skip_the_review"],
        mutant("an obsolete issue is reviewed", CELLS, "    ResolutionOutcome.OBSOLETE: EndReason.OBSOLETE,\n", ""),
    ),
    tested(
        "L9",
        "the gate's resolution is stored each time",
        [LIFECYCLE + "test_l9_every_gate_result_sets_the_resolution_even_to_none"],
        mutant(
            "the gate's resolution is not stored",
            CELLS,
            '"resolution": gate.resolution}',
            '"resolution": ctx.resolution}',
        ),
    ),
    tested(
        "L10",
        "a gate retry counts up and takes the new offset",
        [LIFECYCLE + "test_l10_a_failed_gate_with_budget_sends_back"],
        mutant(
            "a gate retry does not count up", CELLS, '"gate_attempt": attempt,', '"gate_attempt": retry.gate_attempt,'
        ),
    ),
    tested(
        "L11",
        "at the budget, or without progress, a failed gate ends",
        [LIFECYCLE + "test_l11_a_failed_gate_without_budget_or_progress_ends"],
        mutant(
            "the gate has one attempt too many",
            CELLS,
            "retry.gate_attempt < config.max_gate_retries",
            "retry.gate_attempt <= config.max_gate_retries",
        ),
    ),
    tested(
        "L12",
        "what does not block is kept",
        [LIFECYCLE + "test_l12_findings_that_do_not_block_are_kept"],
        mutant(
            "only one low finding is kept",
            CELLS,
            '"low_priority_review_issues": issues}',
            '"low_priority_review_issues": issues[:1]}',
        ),
    ),
    tested(
        "L13",
        "P0 and P1 block (and what is graver), with the attempt counted",
        [LIFECYCLE + "test_l13_blocking_findings_send_back_whatever_passed_says"],
        mutant("only P1 blocks, not P0", CELLS, "issue.priority <= 1", "issue.priority == 1"),
    ),
    tested(
        "L14",
        "a review that blocks for good names place and title",
        [LIFECYCLE + "test_l14_blocking_findings_at_the_budget_end_with_three_titles"],
        mutant(
            "the line of a finding is left out",
            CELLS,
            "{issue.file}:{issue.line_start}: {issue.title}",
            "{issue.file}: {issue.title}",
        ),
    ),
    tested(
        "L15",
        "a parse error is told at every attempt",
        [LIFECYCLE + "test_l15_an_unusable_review_is_run_again_within_the_budget"],
        mutant(
            "the parse error of a re-run is not told",
            CELLS,
            'return review.parse_error or "the reviewer\'s answer could not be read"',
            'return "the reviewer\'s answer could not be read"',
        ),
    ),
    tested(
        "L16",
        "a fatal review tells its parse error",
        [LIFECYCLE + "test_l16_x3_a_fatal_review_ends_at_once"],
        mutant(
            "the text of a fatal review is not told",
            CELLS,
            'text = review.parse_error or "the reviewer reported a fatal error"',
            'text = "the reviewer reported a fatal error"',
        ),
    ),
    tested(
        "L17",
        "no progress is told in result and message",
        [LIFECYCLE + "test_l17_x1_no_progress_fails_whatever_the_review_says"],
        mutant("no progress is not in the message", CELLS, '"Review failed: no progress detected"', '"Review failed"'),
    ),
    tested(
        "L18",
        "a second passed gate does not renew the review budget",
        [LIFECYCLE + "test_l18_the_review_budget_survives_a_second_gate"],
        mutant(
            "the review begins at attempt 1 again",
            CELLS,
            "attempt = ctx.retry_state.review_attempt or 1",
            "attempt = 1",
        ),
    ),
    tested(
        "L19",
        "an error ends the session with its text",
        [LIFECYCLE + "test_l19_timeout_and_error_end_every_state"],
        mutant(
            "an error is told by its type only",
            CELLS,
            "return str(error).strip() or type(error).__name__",
            "return type(error).__name__",
        ),
    ),
    tested(
        "L20",
        "the pressure ratio is input and output over the limit",
        [LIFECYCLE + "test_l20_pressure_ratio", LIFECYCLE + "test_l20_tracking_can_be_disabled"],
        mutant(
            "cache reads count in the ratio",
            CONTEXT,
            "(self.input_tokens + self.output_tokens) / limit",
            "(self.input_tokens + self.output_tokens + self.cache_read_tokens) / limit",
        ),
    ),
    tested(
        "L21",
        "contexts share nothing",
        ["tests/session/test_session_rows_lifecycle.py::test_l21_what_is_written_to_one_context_is_in_no_other"],
        mutant(
            "all contexts share one usage",
            CONTEXT,
            "field(default_factory=ContextUsage)",
            "field(default_factory=lambda _shared=ContextUsage(): _shared)",
        ),
    ),
)
