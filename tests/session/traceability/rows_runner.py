"""Rows of section 6: the event orders E1-E14 and the invariants R1-R44."""

from __future__ import annotations

from .model import EFFECTS, IDLE, ITERATION, PRESSURE, RUNNER, mutant, tested

RUN = "session/run.py"
SHELL = "session/effects.py"
EVENTS = "session/emit.py"
READER = "session/iteration.py"
RETRY = "session/retry.py"

ROWS = (
    # event orders
    tested(
        "E1",
        "gate passes, nothing to review",
        [RUNNER + "test_e1_r9_a_passed_gate_without_review_ends_the_session"],
        mutant(
            "the validation is told before the gate",
            EVENTS,
            "            self._sink.on_gate_passed(self._id, issue_id=self._id)\n"
            "            self._sink.on_validation_result(self._id, passed=True, issue_id=self._id)\n",
            "            self._sink.on_validation_result(self._id, passed=True, issue_id=self._id)\n"
            "            self._sink.on_gate_passed(self._id, issue_id=self._id)\n",
        ),
    ),
    tested(
        "E2",
        "gate and review pass",
        [RUNNER + "test_e2_r17_gate_and_review_pass"],
        mutant(
            "the passed review lacks the issue",
            EVENTS,
            "on_review_passed(self._id, issue_id=self._id)",
            "on_review_passed(self._id)",
        ),
    ),
    tested(
        "E3",
        "the gate fails once",
        [RUNNER + "test_e3_r12_r13_r16_a_failed_gate_sends_the_agent_back"],
        mutant(
            "the failed validation is told as passed",
            EVENTS,
            "sink.on_validation_result(self._id, passed=False, issue_id=self._id)",
            "sink.on_validation_result(self._id, passed=True, issue_id=self._id)",
        ),
    ),
    tested(
        "E4",
        "the gate fails for good",
        [RUNNER + "test_e4_r10_a_gate_that_fails_for_good"],
        mutant(
            "the next attempt is told with the failure",
            EVENTS,
            "on_gate_failed(self._id, attempt, max_attempts,",
            "on_gate_failed(self._id, attempt + 1, max_attempts,",
        ),
    ),
    tested(
        "E5",
        "the review blocks once, with X4: the second gate's pass is told too",
        [RUNNER + "test_e5_r18_r25_x4_a_blocking_review_sends_the_agent_back"],
        mutant(
            "the count of blocking findings is left out", EVENTS, "error_count=blocking or None", "error_count=None"
        ),
    ),
    tested(
        "E6",
        "the review blocks and nothing changes",
        [RUNNER + "test_e6_r21_x1_an_agent_that_ignores_a_blocking_finding_fails"],
        mutant("the skipped review is not told", SHELL, "self._events.review_skipped()", "pass"),
    ),
    tested(
        "E7",
        "the review can't be read, then passes",
        [RUNNER + "test_e7_x2_an_unusable_review_is_run_again_without_asking_for_progress"],
        mutant(
            "the parse error is not in the warning", SHELL, "review_again(unusable_text(review))", 'review_again("")'
        ),
    ),
    tested(
        "E8",
        "the review fails for good: its start is the last event",
        [RUNNER + "test_e8_r22_r24_x5_a_review_that_fails_for_good"],
        mutant(
            "a failed review tells one more event",
            SHELL,
            "elif effect is Effect.COMPLETE_FAILURE:\n",
            "elif effect is Effect.COMPLETE_FAILURE:\n            self._events.review_skipped()\n",
        ),
    ),
    tested(
        "E9",
        "the log is missing",
        [RUNNER + "test_e9_a_missing_log"],
        mutant("the log's timeout is not told", RUN, "self._events.log_timeout(str(path))", "pass"),
    ),
    tested(
        "E10",
        "there is no session id",
        [RUNNER + "test_e10_r27_no_session_id"],
        mutant(
            "FAILED is not told without a session id",
            RUN,
            "has_session_id=bool(state.session_id)))\n        self._events",
            "has_session_id=bool(state.session_id)))\n        if transition.effect in _ENDS:\n"
            "            return transition\n        self._events",
        ),
    ),
    tested(
        "E11",
        "a turn fails: nothing after the start",
        [RUNNER + "test_e11_an_error_in_a_turn"],
        mutant(
            "FAILED is told after an error in a turn",
            RUN,
            "is_idle = isinstance(error, IdleTimeoutError)\n",
            "is_idle = isinstance(error, IdleTimeoutError)\n"
            "        self._events.lifecycle_state(LifecycleState.FAILED)\n",
        ),
    ),
    tested(
        "E12",
        "a context restart begins anew",
        [PRESSURE + "test_r39_e12_a_full_turn_that_fails_its_gate_goes_on_from_a_checkpoint"],
        mutant(
            "the restart does not tell PROCESSING",
            RUN,
            "return self._start()",
            "return self._told(self._state.lifecycle.start())",
        ),
    ),
    tested(
        "E13",
        "the time is used up before the start",
        [RUNNER + "test_e13_without_time_nothing_happens"],
        mutant("a budget of no time is still some", RUN, "if remaining <= 0:", "if remaining < 0:"),
    ),
    tested(
        "E14",
        "a callback raises: events up to its start",
        [RUNNER + "test_e14_a_raising_callback"],
        mutant(
            "the gate's start is not told",
            SHELL,
            "self._events.gate_started(attempt, self._config.max_gate_retries)",
            "pass",
        ),
    ),
    # session basics
    tested(
        "R1",
        "the output says who, how long and how often",
        [RUNNER + "test_r1_the_output_says_who_and_how"],
        mutant("the output says that no time passed", RUN, "duration_seconds=seconds,", "duration_seconds=0.0,"),
    ),
    tested(
        "R2",
        "the first query is the prompt alone",
        [RUNNER + "test_r2_the_first_query_is_the_prompt_alone"],
        mutant(
            "an empty session id goes with the first query",
            READER,
            "Connection(client, attempt.prompt, attempt.resume)",
            'Connection(client, attempt.prompt, attempt.resume or "")',
        ),
    ),
    tested(
        "R3",
        "the log path is asked for once per turn, by session id",
        [RUNNER + "test_r3_the_log_path_is_asked_once_per_turn"],
        mutant(
            "the log path is asked for by the agent's id",
            RUN,
            'self._callbacks.get_log_path(state.session_id or "")',
            "self._callbacks.get_log_path(self._agent_id)",
        ),
    ),
    tested(
        "R4",
        "a missing callback is named in the summary",
        [RUNNER + "test_r4_r14_r23_a_missing_callback_is_named_in_the_summary"],
        mutant(
            "the missing callback is not named",
            RUN,
            'ValueError("get_log_path callback must be set")',
            'ValueError("a callback must be set")',
        ),
    ),
    tested(
        "R5",
        "a given agent id is used, an empty one is none",
        [RUNNER + "test_r5_a_given_agent_id_is_used"],
        mutant(
            "an empty agent id is used",
            "session/runner.py",
            "input.agent_id or f",
            "input.agent_id if input.agent_id is not None else f",
        ),
    ),
    tested(
        "R6",
        "a new session has the configured limits",
        [RUNNER + "test_r6_a_new_session_has_the_configured_limits"],
        mutant(
            "review can't be switched off for a session",
            RUN,
            "review_enabled=config.review_enabled,",
            "review_enabled=True,",
        ),
    ),
    tested(
        "R7",
        "the idle timeout is a fifth of the session's time, within bounds",
        [IDLE + "test_r7_the_idle_timeout_is_derived"],
        mutant(
            "the idle timeout is a quarter of the time",
            "session/idle.py",
            "max(300.0, timeout_seconds * 0.2)",
            "max(300.0, timeout_seconds * 0.25)",
        ),
    ),
    tested(
        "R8",
        "the output carries what gate and review left",
        [RUNNER + "test_r8_the_output_carries_what_review_and_gate_left"],
        mutant(
            "the review's log is not in the output",
            RUN,
            "review_log_path=state.cerberus_review_log_path,",
            "review_log_path=None,",
        ),
    ),
    # gate
    tested(
        "R9",
        "a passed gate is success",
        [RUNNER + "test_e1_r9_a_passed_gate_without_review_ends_the_session"],
        mutant(
            "a passed gate is no success",
            "session/transitions.py",
            '**context, "success": True}',
            '**context, "success": False}',
        ),
    ),
    tested(
        "R10",
        "a failed gate is told in the summary",
        [RUNNER + "test_e4_r10_a_gate_that_fails_for_good"],
        mutant(
            "a failed gate is told in other words",
            "session/transitions.py",
            'text = "Quality gate failed: "',
            'text = "The gate failed: "',
        ),
    ),
    tested(
        "R11",
        "the validation starts before the gate",
        [EFFECTS + "test_r11_r14_a_failed_gate_returns_a_prompt_with_its_reasons"],
        mutant(
            "the gate starts before the validation",
            EVENTS,
            "            self._sink.on_validation_started(self._id, issue_id=self._id)\n"
            "            self._sink.on_gate_started(self._id, attempt, max_attempts, issue_id=self._id)\n",
            "            self._sink.on_gate_started(self._id, attempt, max_attempts, issue_id=self._id)\n"
            "            self._sink.on_validation_started(self._id, issue_id=self._id)\n",
        ),
    ),
    tested(
        "R12",
        "the events of a failed gate carry all reasons",
        [RUNNER + "test_e3_r12_r13_r16_a_failed_gate_sends_the_agent_back"],
        mutant(
            "only the first reason is in the events",
            EVENTS,
            "failure_reasons=list(reasons)",
            "failure_reasons=list(reasons)[:1]",
        ),
    ),
    tested(
        "R13",
        "a gate retry resumes the session with a fresh idle budget",
        [
            RUNNER + "test_e3_r12_r13_r16_a_failed_gate_sends_the_agent_back",
            ITERATION + "test_r13_the_idle_budget_is_per_prompt",
        ],
        mutant("the idle budget goes on after a gate retry", RUN, "self._state.msg_state.idle_retry_count = 0", "pass"),
    ),
    tested(
        "R14",
        "a gate without its callback is an error, a failed one gives a prompt",
        [
            EFFECTS + "test_r11_r14_a_failed_gate_returns_a_prompt_with_its_reasons",
            EFFECTS + "test_r14_r23_a_missing_callback_is_an_error_after_the_start_was_told",
        ],
        mutant(
            "a missing gate is another kind of error",
            SHELL,
            'raise ValueError("on_gate_check callback must be set")',
            'raise RuntimeError("on_gate_check callback must be set")',
        ),
    ),
    tested(
        "R15",
        "a new log begins at offset 0",
        [RUNNER + "test_r15_a_new_log_begins_at_zero"],
        mutant(
            "a new log begins at the old offset", RUN, "ctx.retry_state.log_offset = ctx.review_log_offset = 0", "pass"
        ),
    ),
    tested(
        "R16",
        "every turn that reaches the gate tells its start",
        [RUNNER + "test_e3_r12_r13_r16_a_failed_gate_sends_the_agent_back"],
        mutant(
            "only the first turn tells the validation's start",
            EVENTS,
            "            self._sink.on_validation_started(self._id, issue_id=self._id)\n",
            "            if attempt == 1:\n"
            "                self._sink.on_validation_started(self._id, issue_id=self._id)\n",
        ),
    ),
    # review
    tested(
        "R17",
        "the reviewer is given the session id",
        [RUNNER + "test_e2_r17_gate_and_review_pass"],
        mutant(
            "the reviewer is not given the session id", SHELL, "            ctx.session_id,\n", "            None,\n"
        ),
    ),
    tested(
        "R18",
        "a blocking review tells how many findings block",
        [RUNNER + "test_e5_r18_r25_x4_a_blocking_review_sends_the_agent_back"],
        mutant(
            "findings that don't block are counted too",
            SHELL,
            "blocking = len(blocking_issues(review))",
            "blocking = len(review.issues)",
        ),
    ),
    tested(
        "R19",
        "the events of a review, also without a sink",
        [
            EFFECTS + "test_r19_a_review_to_be_run_again_neither_ends_nor_sends",
            RUNNER + "test_r19_a_session_needs_no_sink",
        ],
        mutant(
            "a re-run review needs a sink",
            EVENTS,
            'if self._sink is not None:\n            self._sink.on_warning(f"Review',
            'if True:\n            self._sink.on_warning(f"Review',
        ),
    ),
    tested(
        "R20",
        "a passed gate is told before the review",
        [EFFECTS + "test_r20_x4_every_passed_gate_tells_so"],
        mutant(
            "a passed gate tells its validation only",
            EVENTS,
            "            self._sink.on_gate_passed(self._id, issue_id=self._id)\n",
            "",
        ),
    ),
    tested(
        "R21",
        "progress is asked for only after the agent had a turn to answer",
        [EFFECTS + "test_r21_progress_is_asked_for_after_an_answer_only"],
        mutant(
            "progress is asked for before the first review",
            SHELL,
            "if not ctx.review_answer_due or ask is None:",
            "if ask is None:",
        ),
    ),
    tested(
        "R22",
        "a review ends, sends back, or is run again",
        [
            EFFECTS + "test_r22_a_passed_review_ends",
            EFFECTS + "test_r22_r25_a_blocking_review_with_budget_names_issue_attempt_and_titles",
            EFFECTS + "test_r22_an_exhausted_review_ends_without_a_prompt",
        ],
        mutant(
            "a passed review does not end",
            SHELL,
            "should_break=transition.effect in (Effect.COMPLETE_SUCCESS, Effect.COMPLETE_FAILURE)",
            "should_break=transition.effect is Effect.COMPLETE_FAILURE",
        ),
    ),
    tested(
        "R23",
        "a review without its callback is an error",
        [EFFECTS + "test_r14_r23_a_missing_callback_is_an_error_after_the_start_was_told"],
        mutant(
            "a missing review is another kind of error",
            SHELL,
            'raise ValueError("on_review_check callback must be set")',
            'raise RuntimeError("on_review_check callback must be set")',
        ),
    ),
    tested(
        "R24",
        "a fatal review aborts once, with its text",
        [EFFECTS + "test_r24_a_fatal_review_calls_abort_once"],
        mutant(
            "the abort is not told the parse error", SHELL, "on_abort(review.parse_error or _FATAL)", "on_abort(_FATAL)"
        ),
    ),
    tested(
        "R25",
        "the prompt after a review names issue, attempts and titles",
        [EFFECTS + "test_r22_r25_a_blocking_review_with_budget_names_issue_attempt_and_titles"],
        mutant(
            "the prompt after a review has no findings",
            SHELL,
            "review_issues=format_review_issues(review.issues, self._config.repo_path)",
            'review_issues=""',
        ),
    ),
    # loop
    tested(
        "R26",
        "the loop ends in success with the session id stored",
        [RUNNER + "test_r26_r28_r29_one_client_per_query"],
        mutant(
            "the session id of a turn is not stored",
            RUN,
            "state.session_id = result.session_id or state.session_id",
            "pass",
        ),
    ),
    tested(
        "R27",
        "without a session id the session fails",
        [RUNNER + "test_e10_r27_no_session_id"],
        mutant(
            "a session without an id goes on to the log",
            RUN,
            "has_session_id=bool(state.session_id)",
            "has_session_id=True",
        ),
    ),
    tested(
        "R28",
        "PROCESSING and AWAITING_LOG are announced by name",
        [RUNNER + "test_r26_r28_r29_one_client_per_query"],
        mutant(
            "states are announced by number",
            EVENTS,
            "on_lifecycle_state(self._id, state.name)",
            "on_lifecycle_state(self._id, str(state.value))",
        ),
    ),
    tested(
        "R29",
        "one client per query",
        [RUNNER + "test_r26_r28_r29_one_client_per_query"],
        mutant(
            "two clients are made per query",
            READER,
            "        client = create_client(",
            "        self._factory.create(round_config.options)\n        client = create_client(",
        ),
    ),
    # idle
    tested(
        "R30",
        "a hung stream fails as idle",
        [ITERATION + "test_r30_a_hung_stream_fails_as_idle_and_says_what_was_awaited"],
        mutant(
            "a hung stream ends as an agent error",
            RUN,
            "is_idle = isinstance(error, IdleTimeoutError)",
            "is_idle = False",
        ),
    ),
    tested(
        "R31",
        "messages in time, or a timeout of 0, are no idleness",
        [ITERATION + "test_r31_messages_in_time_or_no_timeout_are_no_idleness"],
        mutant(
            "an idle timeout of 0 fires at once",
            "session/idle.py",
            "return seconds if seconds > 0 else None",
            "return seconds",
        ),
    ),
    tested(
        "R32",
        "a hang after a result is resumed with the idle prompt",
        [ITERATION + "test_r32_b1_a_hang_after_a_result_is_resumed"],
        mutant(
            "a resumed agent gets its first prompt again",
            RETRY,
            "prompt = resume_prompt if spent.answered else last.prompt",
            "prompt = last.prompt",
        ),
    ),
    tested(
        "R33",
        "the idle budget is kept, and every client is disconnected",
        [ITERATION + "test_r33_the_idle_budget_is_kept_and_every_client_is_disconnected"],
        mutant(
            "there is one idle retry too many",
            RETRY,
            "if spent.used >= spent.allowed:",
            "if spent.used > spent.allowed:",
        ),
    ),
    tested(
        "R34",
        "a hang with no message is asked again afresh",
        [ITERATION + "test_r34_a_hang_with_no_message_is_asked_again_afresh"],
        mutant(
            "a hang with no message is refused", RETRY, "    if spent.tool_calls:\n", "    if spent.tool_calls >= 0:\n"
        ),
    ),
    tested(
        "R35",
        "a pending tool is ended by the session's timeout only",
        [ITERATION + "test_r35_a_pending_tool_is_ended_by_the_sessions_timeout_only"],
        mutant(
            "one pending tool is not enough",
            "session/idle.py",
            "limit = None if self._pending else self._timeout",
            "limit = None if len(self._pending) > 1 else self._timeout",
        ),
    ),
    tested(
        "R36",
        "retries back off step by step",
        [ITERATION + "test_r36_retries_back_off"],
        mutant("every retry backs off by the first step", RETRY, "steps[min(count, len(steps)) - 1]", "steps[0]"),
    ),
    tested(
        "R37",
        "tool calls without a session id are not repeated",
        [ITERATION + "test_r37_tool_calls_without_a_session_id_are_not_repeated"],
        mutant(
            "a few tool calls may be repeated", RETRY, "    if spent.tool_calls:\n", "    if spent.tool_calls > 2:\n"
        ),
    ),
    tested(
        "R38",
        "a client that does not leave delays ten seconds",
        [ITERATION + "test_r38_a_client_that_does_not_leave_delays_ten_seconds"],
        mutant(
            "a disconnect may take 30 seconds",
            "session/config.py",
            "DISCONNECT_TIMEOUT = 10.0",
            "DISCONNECT_TIMEOUT = 30.0",
        ),
    ),
    # restart
    tested(
        "R39",
        "pressure leads to a checkpoint and a continuation",
        [PRESSURE + "test_r39_e12_a_full_turn_that_fails_its_gate_goes_on_from_a_checkpoint"],
        mutant(
            "the continuation lacks the checkpoint",
            RUN,
            "build_continuation_prompt(found.checkpoint)",
            'build_continuation_prompt("")',
        ),
    ),
    tested(
        "R40",
        "a second restart uses the second checkpoint",
        [PRESSURE + "test_r40_two_restarts_use_the_second_checkpoint"],
        mutant(
            "pressure is never taken off",
            RUN,
            "error, self._pressure = self._pressure, None",
            "error = self._pressure",
        ),
    ),
    tested(
        "R41",
        "each round begins INITIAL",
        [PRESSURE + "test_r41_each_round_begins_initial"],
        mutant(
            "a restart goes on as PROCESSING",
            "session/transitions.py",
            "state=LifecycleState.INITIAL, effect=Effect.CONTINUE",
            "state=LifecycleState.PROCESSING, effect=Effect.CONTINUE",
        ),
    ),
    tested(
        "R42",
        "a checkpoint without tags is used whole",
        [PRESSURE + "test_r42_a_checkpoint_without_tags_is_used_whole"],
        mutant(
            "checkpoint texts without tags are dropped",
            "session/pressure.py",
            'if (text := getattr(block, "text", None)) is not None]',
            'if "<" in (text := getattr(block, "text", None) or "")]',
        ),
    ),
    tested(
        "R43",
        "all rounds share one budget of time",
        [PRESSURE + "test_r43_all_rounds_share_one_budget_of_time"],
        mutant(
            "each round has its own time",
            RUN,
            "        return self._start()\n",
            "        if self._deadline is not None:\n"
            "            now = asyncio.get_running_loop().time()\n"
            "            self._deadline.reschedule(now + self._config.timeout_seconds)\n"
            "        return self._start()\n",
        ),
    ),
    tested(
        "R44",
        "a cancellation passes and leaves no client open",
        [RUNNER + "test_r44_cancellation_passes_and_leaves_no_client_open"],
        mutant(
            "a cancelled session is left as if its turn were over",
            "session/connection.py",
            "await self._leave(_Leaving.GIVEN_UP)",
            "await self._leave(_Leaving.AT_END)",
        ),
    ),
)
