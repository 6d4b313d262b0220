"""Rows of sections 11 and 12: defects of the reference that must be gone: B1-B39, X1-X16, Y1-Y6."""

from __future__ import annotations

from .model import (
    CORRECTIONS,
    EFFECTS,
    ITERATION,
    LIFECYCLE,
    PRESSURE,
    PROMPTS,
    RUNNER,
    STREAM,
    later,
    mutant,
    not_applicable,
    tested,
)

RUN = "session/run.py"
SHELL = "session/effects.py"
TURN = "session/stream.py"
CELLS = "session/transitions.py"
HANDLER = "session/pressure.py"

ROWS = (
    # fixed in the reference later
    tested(
        "B1",
        "a retry really resumes",
        [ITERATION + "test_r32_b1_a_hang_after_a_result_is_resumed"],
        mutant(
            "the session id is only a label of the query",
            "session/resume.py",
            "options = with_resume(options, resume)",
            "pass",
        ),
    ),
    tested(
        "B2",
        "tool results in user messages are seen",
        [
            STREAM + "test_b2_results_count_in_user_messages_and_in_assistant_messages",
            ITERATION + "test_b2_after_its_result_a_tool_is_not_pending_any_more",
        ],
        mutant(
            "tool results in user messages are not read", TURN, "self._read_user(message, state, lint_cache)", "pass"
        ),
    ),
    tested(
        "B3",
        "lint runs of an abandoned attempt are forgotten",
        [
            STREAM + "test_b3_a_lint_run_of_an_abandoned_attempt_is_never_marked",
            STREAM + "test_b3_a_new_turn_and_a_new_attempt_forget_pending_tools_and_lint_runs",
        ],
        mutant("lint runs of an abandoned attempt are kept", TURN, "self.pending_lint_commands.clear()", "pass"),
    ),
    tested(
        "B4",
        "retry settings that can't work are refused",
        [RUNNER + "test_b4_settings_that_could_never_work_are_refused"],
        mutant(
            "a blank idle prompt is accepted",
            "session/config.py",
            "not self.prompts.idle_resume.strip()",
            "not self.prompts.idle_resume",
        ),
    ),
    tested(
        "B5",
        "an error result never reaches the gate",
        [
            STREAM + "test_b5_error_results_are_no_success",
            RUNNER + "test_b5_an_error_result_never_reaches_the_gate",
        ],
        mutant(
            "the error flag of a result is not looked at",
            "session/messages.py",
            'if not getattr(message, "is_error", False) and not subtype.startswith("error"):',
            'if not subtype.startswith("error"):',
        ),
    ),
    tested(
        "B6",
        "a dying process is tried again on its own budget",
        [ITERATION + "test_b6_a_dying_process_is_resumed_on_its_own_budget"],
        mutant(
            "a dead process is not tried again",
            "session/retry.py",
            'frozenset({"ProcessError", "CLIConnectionError"})',
            "frozenset[str]()",
        ),
    ),
    tested(
        "B7",
        "an id that came late makes a resume possible",
        [ITERATION + "test_d13_an_able_client_is_interrupted_drained_disconnected_and_terminated"],
        mutant(
            "an id that came while draining is not learnt",
            "session/iteration.py",
            "learn_ids(message, state.msg_state, state.lifecycle_ctx)",
            "pass",
        ),
    ),
    tested(
        "B8",
        "the one budget of time (kept) says which phase used it up",
        [RUNNER + "test_x9_the_sessions_timeout_is_told_in_seconds_and_says_what_it_waited_for"],
        mutant(
            "the timeout does not tell the phase",
            RUN,
            "self._end_in_time(self._waiting_for)",
            'self._end_in_time("")',
        ),
    ),
    not_applicable(
        "B9",
        "the bound of a disconnect cuts off a client's own teardown",
        "a client is interrupted and drained before it is disconnected, so its teardown is short; the bound stays 10 s",
    ),
    tested(
        "B10",
        "a turn is not over while work goes on in the background",
        [
            CORRECTIONS + "test_b10_a_result_is_not_the_end_while_work_goes_on_in_the_background",
            CORRECTIONS + "test_b10_a_full_context_does_not_cut_off_what_goes_on_in_the_background",
        ],
        mutant(
            "the first result ends the turn",
            TURN,
            "pressure = self._pressure_at_result(result, state, lifecycle_ctx)\n",
            "pressure = self._pressure_at_result(result, state, lifecycle_ctx)\n                    break\n",
        ),
    ),
    tested(
        "B11",
        "MCP servers get as long as the session",
        [
            "tests/agent/test_runtime.py::test_b11_mcp_servers_get_as_long_as_the_session",
            "tests/agent/test_cli_environment.py::test_mcp_servers_get_as_long_as_the_session",
        ],
        mutant(
            "MCP servers always get five minutes",
            "agent/environment.py",
            "max(_MCP_SECONDS, timeout_seconds or 0) * 1000",
            "_MCP_SECONDS * 1000",
        ),
    ),
    tested(
        "B12",
        "the size of the context counts what came from the cache",
        [STREAM + "test_the_size_of_the_last_main_message_decides_over_the_results_sum"],
        mutant(
            "only the uncached tail counts",
            TURN,
            "(size.input_tokens + size.cache_read_tokens + size.cache_creation_tokens)",
            "size.input_tokens",
        ),
    ),
    tested(
        "B13",
        "pressure is seen during a turn",
        [
            STREAM + "test_pressure_in_mid_turn_is_told_when_the_tools_have_answered",
            PRESSURE + "test_pressure_in_mid_turn_interrupts_and_goes_on_without_a_gate",
            CORRECTIONS + "test_b13_a_context_with_room_left_goes_on_after_its_tools",
        ],
        mutant("pressure is seen at the end of a turn only", TURN, "self._check_in_turn(state)", "pass"),
    ),
    not_applicable(
        "B14",
        "a fatal review in one session does not stop the others",
        "each session is a test of its own: on_abort tells whoever runs it (R24), and stopping the rest is pytest's -x",
    ),
    tested(
        "B15",
        "an interrupted session is no failed one: the interrupt passes",
        [
            RUNNER + "test_r44_cancellation_passes_and_leaves_no_client_open",
            RUNNER + "test_other_base_exceptions_pass",
        ],
        mutant("an interrupt becomes a failure", RUN, "except Exception as error:", "except BaseException as error:"),
    ),
    not_applicable(
        "B16",
        "a session of an earlier run can't be continued",
        "a test begins from its own workspace and prompt; its outcome must not depend on an earlier run",
    ),
    tested(
        "B17",
        "a restart keeps the baseline",
        [CORRECTIONS + "test_b17_a_restart_keeps_the_baseline_whatever_the_clock_says"],
        mutant(
            "a restart makes the baseline now",
            RUN,
            "        state.session_id = None\n",
            "        state.session_id = None\n"
            "        state.lifecycle_ctx.retry_state.baseline_timestamp = int(self._clock.now().timestamp())\n",
        ),
    ),
    tested(
        "B18",
        "a reviewer is told the findings before and the agent's answer",
        [CORRECTIONS + "test_b18_a_reviewer_is_told_what_was_found_before_and_what_the_agent_said"],
        mutant(
            "the reviewer is not told the findings before",
            CELLS,
            '            "previous_findings": tuple(event.review.issues),\n',
            "",
        ),
    ),
    tested(
        "B19",
        "the blocking findings of a failed session are in the output",
        [
            RUNNER + "test_e8_r22_r24_x5_a_review_that_fails_for_good",
            RUNNER + "test_r8_the_output_carries_what_review_and_gate_left",
        ],
        mutant(
            "findings that don't block are in the list",
            RUN,
            "else blocking_issues(ctx.last_review_result)",
            "else list(ctx.last_review_result.issues)",
        ),
    ),
    tested(
        "B20",
        "the prompt after a review names no mark and no commands of one language",
        [CORRECTIONS + "test_b20_the_review_followup_names_no_mark_and_no_commands_of_one_language"],
        mutant(
            "the follow-up speaks of ERROR marks",
            "prompts/review_followup.md",
            "found problems that",
            "found problems marked as ERROR that",
        ),
    ),
    tested(
        "B21",
        "bodies of several lines keep their indentation",
        [PROMPTS + "test_t6_findings_are_grouped_and_sorted"],
        mutant(
            "bodies lose their indentation",
            "session/review_text.py",
            'f"    {line}".rstrip()',
            'f"    {line.strip()}".rstrip()',
        ),
    ),
    tested(
        "B22",
        "an agent whose work was complete is told how to say so",
        [CORRECTIONS + "test_b22_the_gate_followup_says_how_work_that_is_complete_is_told"],
        mutant("the follow-up pushes to a new commit", "prompts/gate_followup.md", "make no new one", "make a new one"),
    ),
    tested(
        "B23",
        "a queued gate retry is the next thing that is carried out",
        [RUNNER + "test_e3_r12_r13_r16_a_failed_gate_sends_the_agent_back"],
        mutant(
            "after a gate retry the gate's order stays",
            RUN,
            "transition = await self._carry_out(transition)",
            "moved = await self._carry_out(transition)\n"
            "            transition = transition if moved.effect is Effect.SEND_GATE_RETRY else moved",
        ),
    ),
    not_applicable(
        "B24",
        "log readiness is a file probe inside the runner",
        "structure: the callback get_log_path(session_id) is the contract; readiness lies in logwait.py (X11)",
    ),
    tested(
        "B25",
        "the session imports no reviewer, gate or case",
        [CORRECTIONS + "test_b25_the_session_room_loads_no_gate_no_reviewer_and_no_case"],
        mutant(
            "the session imports the gate",
            SHELL,
            "from pytest_mala.session.models import ReviewResult\n",
            "from pytest_mala.session.models import ReviewResult\nimport pytest_mala.gate.results\n",
        ),
    ),
    not_applicable(
        "B26",
        "a forgotten callback is found out in mid-session",
        "the bag of optional callbacks is the contract; a missing one ends the session with its name (R4)",
    ),
    tested(
        "B27",
        "no module has many concerns",
        [CORRECTIONS + "test_b27_no_module_of_the_room_has_many_concerns"],
        mutant(
            "the runner's module grows by 400 lines",
            "session/runner.py",
            "    def describe(self)",
            "\n" * 400 + "    def describe(self)",
        ),
    ),
    tested(
        "B28",
        "parts of a text are not told",
        [CORRECTIONS + "test_b28_parts_of_a_text_are_not_told_only_the_whole_of_it"],
        mutant(
            "parts of a text are told", TURN, 'case "AssistantMessage":', 'case "AssistantMessage" | "StreamEvent":'
        ),
    ),
    tested(
        "B29",
        "the log is looked for where the CLI writes it, also below a folder with a dot",
        [
            "tests/session/test_session_log.py::TestWhereALogLies"
            "::test_every_other_character_of_the_real_path_is_a_hyphen"
        ],
        mutant("dots of the path are kept", "session/log.py", 're.sub(r"[^A-Za-z0-9]"', 're.sub(r"[^A-Za-z0-9.]"'),
    ),
    later("B30", "lock events come from the payload that the SDK really sends"),
    later("B31", "a denied tool call tells the model why"),
    later("B32", "the list of destructive git commands is complete"),
    later("B33", "children of the agent's shell end with the session"),
    later("B34", "Ctrl-C does not reach the CLI, and a teardown is not cut in half"),
    later("B35", "an explicit empty list of setting sources is kept"),
    later("B36", "one large message does not overflow the line buffer"),
    later("B37", "the victim of a deadlock is named and run again"),
    later("B38", "a long wait for a lock does not burn the turn"),
    later("B39", "an aborted session keeps the path of its log"),
    # still there
    tested(
        "X1",
        "no progress after a review is no success",
        [RUNNER + "test_e6_r21_x1_an_agent_that_ignores_a_blocking_finding_fails"],
        mutant("the lifecycle is not told of no progress", SHELL, "no_progress=True", "no_progress=False"),
    ),
    tested(
        "X2",
        "a review that is run again is not taken for no progress",
        [RUNNER + "test_e7_x2_an_unusable_review_is_run_again_without_asking_for_progress"],
        mutant(
            "the review attempt decides, not the agent's turn",
            SHELL,
            "if not ctx.review_answer_due or ask is None:",
            "if ctx.retry_state.review_attempt <= 1 or ask is None:",
        ),
    ),
    tested(
        "X3",
        "the fatal flag alone is fatal",
        [LIFECYCLE + "test_l16_x3_a_fatal_review_ends_at_once"],
        mutant(
            "fatal counts only with a text",
            CELLS,
            "if review.fatal_error:",
            "if review.fatal_error and review.parse_error:",
        ),
    ),
    tested(
        "X4",
        "every passed gate is told",
        [
            RUNNER + "test_e5_r18_r25_x4_a_blocking_review_sends_the_agent_back",
            EFFECTS + "test_r20_x4_every_passed_gate_tells_so",
        ],
        mutant(
            "a passed gate is told before the first review only",
            SHELL,
            "            self._events.gate_passed()  #",
            "            if state.lifecycle_ctx.retry_state.review_attempt <= 1:\n"
            "                self._events.gate_passed()  #",
        ),
    ),
    tested(
        "X5",
        "every state and every end is told",
        [
            RUNNER + "test_x5_every_end_is_told_once",
            RUNNER + "test_x5_every_state_is_announced",
            RUNNER + "test_x5_a_state_entered_by_an_error_is_announced_too",
        ],
        mutant(
            "the end of a session is not told",
            RUN,
            "lambda: self._events.ended(ctx.reason or EndReason.AGENT_ERROR, ctx.final_result)",
            "lambda: None",
        ),
    ),
    tested(
        "X6",
        "the output keeps the session id of a turn that failed",
        [RUNNER + "test_x6_a_failed_session_keeps_the_id_it_has_seen"],
        mutant(
            "only the id of a whole turn is kept",
            RUN,
            "state.session_id or state.msg_state.session_id or self._known_session_id",
            "state.session_id",
        ),
    ),
    tested(
        "X7",
        "the session id comes from any message",
        [
            STREAM + "test_x7_the_session_id_comes_from_any_message",
            ITERATION + "test_x7_x8_an_id_from_the_first_frame_makes_the_first_turn_resumable",
        ],
        mutant(
            "the id of the init message is not read",
            "session/messages.py",
            'return found or (_id(data.get("session_id")) if isinstance(data, dict) else None)',
            "return found",
        ),
    ),
    tested(
        "X8",
        "a prompt that was never answered is sent again",
        [ITERATION + "test_x8_a_prompt_that_was_never_answered_is_sent_again_into_the_same_session"],
        mutant("an answer in an earlier turn counts", TURN, "        self.answered = False\n", ""),
    ),
    tested(
        "X9",
        "a callback's own timeout is not the session's",
        [
            RUNNER + "test_x9_a_callbacks_own_timeout_is_not_the_sessions",
            LIFECYCLE + "test_x9_parts_of_a_minute_are_told_in_seconds",
        ],
        mutant("any timeout is taken for the session's", RUN, "if not self._deadline.expired():", "if False:"),
    ),
    tested(
        "X10",
        "a failure has a summary",
        [
            RUNNER + "test_x10_an_error_without_text_is_named",
            LIFECYCLE + "test_x10_an_error_without_text_is_told_by_its_type",
        ],
        mutant(
            "an error without text gives an empty summary",
            CELLS,
            "return str(error).strip() or type(error).__name__",
            "return str(error)",
        ),
    ),
    tested(
        "X11",
        "the log must hold the turn's last message",
        [
            RUNNER + "test_x11_the_log_must_hold_the_turns_last_message",
            RUNNER + "test_x11_a_log_that_is_flushed_later_is_awaited",
        ],
        mutant(
            "a log file that exists is enough",
            "session/logwait.py",
            "return self.path.exists() and has_uuid(self.path, self.uuid, self.offset)",
            "return self.path.exists()",
        ),
    ),
    tested(
        "X12",
        "a newline after the closing fence does not keep it",
        [PROMPTS + "test_x12_a_newline_after_the_closing_fence_does_not_keep_it"],
        mutant("a newline keeps the closing fence", "session/checkpoint.py", "```\\s*\\Z", "```[ \\t]*\\Z"),
    ),
    later("X13", "a wait for a lock that ended is no deadlock"),
    tested(
        "X14",
        "the state that a lint run counts for is the one before it",
        [
            STREAM + "test_x14_the_lint_cache_is_told_when_the_command_starts",
        ],
        mutant(
            "the start of a lint run is not told", TURN, 'call(lint_cache, "mark_started", lint_type, command)', "pass"
        ),
    ),
    later("X15", "commands on several lines are no batch that ended well"),
    tested(
        "X16",
        "grave findings of a passed review are not dropped",
        [LIFECYCLE + "test_l13_blocking_findings_send_back_whatever_passed_says"],
        mutant(
            "grave findings of a passed review are dropped",
            CELLS,
            "    if blocking:\n",
            "    if blocking and not review.passed:\n",
        ),
    ),
    # gone with the reference's restarts
    tested(
        "Y1",
        "restarts are bounded",
        [PRESSURE + "test_y1_restarts_are_bounded"],
        mutant("restarts are not bounded", CELLS, "if used >= limit:", "if False:"),
    ),
    tested(
        "Y2",
        "a restart renews no budget",
        [PRESSURE + "test_y2_the_gate_budget_is_not_renewed_by_a_restart"],
        mutant(
            "a restart renews all budgets",
            CELLS,
            'changes = {"context_restarts": used + 1,',
            'changes = {"retry_state": type(ctx.retry_state)(), "context_restarts": used + 1,',
        ),
    ),
    tested(
        "Y3",
        "a turn that passes its gate is not restarted",
        [PRESSURE + "test_y3_a_full_turn_that_passes_its_gate_is_not_restarted"],
        mutant(
            "a turn that passed its gate is restarted",
            RUN,
            "self._pressure = None  # the turn has done enough",
            "pass  # the turn has done enough",
        ),
    ),
    tested(
        "Y4",
        "a factory that fails at the checkpoint is no error of the session",
        [PRESSURE + "test_p4_y4_trouble_gives_an_empty_checkpoint"],
        mutant(
            "a failing factory escapes the checkpoint",
            HANDLER,
            "except Exception as error:",
            "except OSError as error:",
        ),
    ),
    tested(
        "Y5",
        "what came of a checkpoint is kept, and nobody else's words",
        [
            PRESSURE + "test_p5_y5_what_came_before_the_timeout_is_kept",
            PRESSURE + "test_p6_y5_without_tags_the_agents_whole_text_counts_and_nobody_elses",
        ],
        mutant(
            "what came before the timeout is dropped",
            HANDLER,
            "return answer.result(timed_out=True)",
            'return CheckpointResult("", timed_out=True)',
        ),
    ),
    tested(
        "Y6",
        "the checkpoint is traced and told",
        [PRESSURE + "test_y6_the_checkpoint_is_traced_and_told"],
        mutant("the checkpoint is not traced", RUN, "options, tracer=self._tracer", "options, tracer=None"),
    ),
)
