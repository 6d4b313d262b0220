"""Rows of sections 3, 4, 5 and 9: the stream S1-S19, the checkpoint P1-P10, prompts T1-T6, telemetry N1-N3."""

from __future__ import annotations

from .model import IDLE, PRESSURE, PROMPTS, PROTOCOLS, STREAM, mutant, tested

TURN = "session/stream.py"
QUIET = "session/idle.py"
MESSAGES = "session/messages.py"
HANDLER = "session/pressure.py"
CHECKPOINT = "session/checkpoint.py"
TELEMETRY = "session/telemetry.py"

ROWS = (
    # stream
    tested(
        "S1",
        "messages in time pass unchanged",
        [IDLE + "test_s1_messages_in_time_pass_unchanged"],
        mutant(
            "the idle stream waits half as long",
            QUIET,
            "self._pending else self._timeout",
            "self._pending else self._timeout / 2",
        ),
    ),
    tested(
        "S2",
        "silence is told with the rounded seconds",
        [IDLE + "test_s2_silence_raises_with_the_rounded_timeout_and_its_cause"],
        mutant("the idle seconds are not rounded", QUIET, "{self._timeout:.0f} seconds", "{self._timeout} seconds"),
    ),
    tested(
        "S3",
        "a pending tool switches the timeout off",
        [IDLE + "test_s3_pending_tools_switch_the_timeout_off_until_the_next_message"],
        mutant(
            "pending tools don't switch the timeout off",
            QUIET,
            "limit = None if self._pending else self._timeout",
            "limit = self._timeout",
        ),
    ),
    tested(
        "S4",
        "without a timeout nothing fires",
        [IDLE + "test_s4_none_never_fires"],
        mutant(
            "no timeout means 15 minutes",
            QUIET,
            "if self._timeout is None:\n            return await anext(self._stream)",
            "if self._timeout is None:\n            self._timeout = 900.0",
        ),
    ),
    tested(
        "S5",
        "a result gives success and the session id everywhere",
        [STREAM + "test_s5_a_result_gives_success_and_the_session_id_everywhere"],
        mutant(
            "the context does not learn the session id",
            TURN,
            "state.session_id = ctx.session_id = session_id",
            "state.session_id = session_id",
        ),
    ),
    tested(
        "S6",
        "texts are told in order, with the issue id first",
        [STREAM + "test_s6_texts_are_told_in_order"],
        mutant(
            "the text callback gets the text first",
            TURN,
            "on_agent_text(issue_id, block.text)",
            "on_agent_text(block.text, issue_id)",
        ),
    ),
    tested(
        "S7",
        "tools are told, counted, and pending until they answer",
        [STREAM + "test_s7_a_tool_is_pending_until_its_result"],
        mutant("tools are never pending", TURN, "state.pending_tool_ids.add(block.id)", "pass"),
    ),
    tested(
        "S8",
        "a lint run is marked once, by its own result",
        [STREAM + "test_s8_b2_a_lint_run_counts_after_its_result"],
        mutant(
            "a second result marks the lint run again",
            TURN,
            "state.pending_lint_commands.pop(tool_id, None)",
            "state.pending_lint_commands.get(tool_id)",
        ),
    ),
    tested(
        "S9",
        "an error result marks nothing",
        [STREAM + "test_s9_an_error_result_is_answered_but_no_success"],
        mutant(
            "the error flag of a tool result is not looked at",
            TURN,
            'if lint is not None and not getattr(block, "is_error", False):',
            "if lint is not None:",
        ),
    ),
    tested(
        "S10",
        "only the Bash tool reaches the lint cache",
        [STREAM + "test_s10_only_bash_reaches_the_lint_cache"],
        mutant(
            "all tool names that begin with bash count",
            TURN,
            'if block.name.lower() != "bash" or',
            'if not block.name.lower().startswith("bash") or',
        ),
    ),
    tested(
        "S11",
        "usage at the threshold is pressure",
        [STREAM + "test_s11_usage_at_the_threshold_raises_with_the_exact_counts"],
        mutant(
            "only usage above the threshold is pressure",
            TURN,
            "if ratio < self.config.context_restart_threshold:",
            "if ratio <= self.config.context_restart_threshold:",
        ),
    ),
    tested(
        "S12",
        "below it the counters are stored",
        [STREAM + "test_s12_below_the_threshold_the_counters_are_stored"],
        mutant(
            "cache reads are not stored",
            TURN,
            "ctx.context_usage.cache_read_tokens = result.usage.cache_read_tokens",
            "ctx.context_usage.cache_read_tokens = 0",
        ),
    ),
    tested(
        "S13",
        "output tokens count where no message told the size",
        [STREAM + "test_s13_output_tokens_count"],
        mutant(
            "output tokens don't count",
            TURN,
            "ratio = ctx.context_usage.pressure_ratio(self.config.context_limit)",
            "ratio = self._ratio(result.usage)",
        ),
    ),
    tested(
        "S14",
        "missing usage is warned of and switches tracking off",
        [STREAM + "test_s14_missing_usage_is_warned_of_and_switches_tracking_off"],
        mutant("tracking stays on without usage", TURN, "ctx.context_usage.disable_tracking()", "pass"),
    ),
    tested(
        "S15",
        "the tracer gets every message",
        [STREAM + "test_s15_the_tracer_gets_every_message"],
        mutant(
            "the tracer does not get the result",
            TURN,
            "if tracer is not None:",
            'if tracer is not None and messages.kind(message) != "ResultMessage":',
        ),
    ),
    tested(
        "S16",
        "the first message of any kind is noted",
        [STREAM + "test_s16_the_first_message_of_any_kind_is_noted"],
        mutant(
            "only the agent's messages count as first",
            TURN,
            "if not state.first_message_received:",
            'if not state.first_message_received and messages.kind(message) == "AssistantMessage":',
        ),
    ),
    tested(
        "S17",
        "all callbacks may be missing",
        [STREAM + "test_s17_callbacks_may_all_be_missing"],
        mutant("a text needs a callback", TURN, "if self.callbacks.on_agent_text is not None:", "if True:"),
    ),
    tested(
        "S18",
        "importing the stream needs no SDK",
        [STREAM + "test_s18_importing_the_stream_needs_no_sdk"],
        mutant("the stream imports the SDK", TURN, "import logging\n", "import logging\nimport claude_agent_sdk\n"),
    ),
    tested(
        "S19",
        "usage may be an object",
        [STREAM + "test_s19_usage_may_be_an_object"],
        mutant(
            "usage is read from a dict only",
            MESSAGES,
            "if isinstance(usage, dict) else getattr(usage, name, None)",
            "if isinstance(usage, dict) else 0",
        ),
    ),
    # checkpoint
    tested(
        "P1",
        "a tagged checkpoint is asked for once, in the same session",
        [PRESSURE + "test_p1_a_tagged_checkpoint_is_asked_for_once"],
        mutant(
            "a fresh session is asked for the checkpoint",
            HANDLER,
            'options, session_id or None, "checkpoint"',
            'options, None, "checkpoint"',
        ),
    ),
    tested(
        "P2",
        "several lines and messages are joined",
        [PRESSURE + "test_p2_several_lines_and_messages_are_joined"],
        mutant(
            "texts are joined with a blank",
            HANDLER,
            'found = "".join(self._texts)',
            'found = " ".join(self._texts)',
        ),
    ),
    tested(
        "P3",
        "without a prompt nobody is asked",
        [PRESSURE + "test_p3_without_a_prompt_nobody_is_asked"],
        mutant("an empty checkpoint request is sent", HANDLER, "if not prompt:", "if prompt is None:"),
    ),
    tested(
        "P4",
        "trouble gives an empty checkpoint",
        [PRESSURE + "test_p4_y4_trouble_gives_an_empty_checkpoint"],
        mutant(
            "trouble with the checkpoint is raised",
            HANDLER,
            'logger.warning("%s: the checkpoint failed: %r", issue_id, error)',
            'logger.warning("%s: the checkpoint failed: %r", issue_id, error)\n            raise',
        ),
    ),
    tested(
        "P5",
        "a timeout is told",
        [PRESSURE + "test_p5_y5_what_came_before_the_timeout_is_kept"],
        mutant("the checkpoint's timeout is not told", HANDLER, "timed_out=True)", "timed_out=False)"),
    ),
    tested(
        "P6",
        "without tags the whole text counts",
        [PRESSURE + "test_p6_y5_without_tags_the_agents_whole_text_counts_and_nobody_elses"],
        mutant(
            "a text without tags is no checkpoint",
            CHECKPOINT,
            'return _FENCE_END.sub("", _FENCE_START.sub("", text))',
            'return ""',
        ),
    ),
    tested(
        "P7",
        "the continuation is plain replacement",
        [PRESSURE + "test_p7_the_continuation_is_plain_replacement"],
        mutant(
            "the continuation is formatted",
            CHECKPOINT,
            'continuation_template.replace("{checkpoint}", checkpoint_text)',
            "continuation_template.format(checkpoint=checkpoint_text)",
        ),
    ),
    tested(
        "P8",
        "a pressure error becomes a prompt and a higher count",
        [PRESSURE + "test_p8_p9_a_pressure_error_becomes_a_prompt_and_a_count"],
        mutant("the count of restarts stays", HANDLER, "continuation_count + 1", "continuation_count"),
    ),
    tested(
        "P9",
        "the checkpoint takes at most the time that is left",
        [PRESSURE + "test_p9_with_no_time_left_nothing_is_waited_for"],
        mutant(
            "the checkpoint always has its full time",
            HANDLER,
            "seconds = max(0.0, min(remaining_time, self.config.checkpoint_timeout_seconds))",
            "seconds = self.config.checkpoint_timeout_seconds",
        ),
    ),
    tested(
        "P10",
        "by default it takes 30 seconds",
        [PRESSURE + "test_p10_defaults"],
        mutant(
            "the checkpoint takes 60 seconds by default",
            HANDLER,
            "DEFAULT_CHECKPOINT_TIMEOUT_SECONDS = 30",
            "DEFAULT_CHECKPOINT_TIMEOUT_SECONDS = 60",
        ),
    ),
    # prompts
    tested(
        "T1",
        "a checkpoint is found between its outermost tags",
        [PROMPTS + "test_t1_extract_checkpoint"],
        mutant(
            "nested tags are not counted",
            CHECKPOINT,
            "depth += 1 if tag[0] == _OPEN else -1",
            "depth -= 1 if tag[0] == _CLOSE else 0",
        ),
    ),
    tested(
        "T2",
        "every place of the checkpoint is filled",
        [PROMPTS + "test_t2_the_continuation_is_plain_text_replacement"],
        mutant(
            "only the first place is filled",
            CHECKPOINT,
            '"{checkpoint}", checkpoint_text)',
            '"{checkpoint}", checkpoint_text, 1)',
        ),
    ),
    tested(
        "T3",
        "prompts are read from their files, and none may be missing",
        [PROMPTS + "test_t3_load_prompts_reads_every_file", PROMPTS + "test_t3_a_missing_file_is_an_error"],
        mutant(
            "one prompt file is read for another",
            "session/prompts.py",
            'load_prompt("review_followup"',
            'load_prompt("gate_followup"',
        ),
    ),
    tested(
        "T4",
        "the default commands are exact texts",
        [PROMPTS + "test_t4_default_commands"],
        mutant("the default names another type checker", "session/commands.py", '"uvx ty check"', '"uvx mypy ."'),
    ),
    tested(
        "T5",
        "the user's commands win over the preset's",
        [PROMPTS + "test_t5_the_users_commands_win_over_the_preset"],
        mutant(
            "the preset wins over the user's command",
            "session/commands.py",
            "commands.get(kind) or known.get(kind) or",
            "known.get(kind) or commands.get(kind) or",
        ),
    ),
    tested(
        "T6",
        "findings are grouped by file and sorted, the unranked last",
        [
            PROMPTS + "test_t6_findings_are_grouped_and_sorted",
            PROMPTS + "test_t6_on_one_line_the_graver_comes_first_and_the_unranked_last",
        ],
        mutant(
            "unranked findings are not put last",
            "session/review_text.py",
            "issue.priority is None, issue.priority or 0",
            "False, issue.priority or 0",
        ),
    ),
    # telemetry
    tested(
        "N1",
        "a null span enters as itself and suppresses nothing",
        [PROTOCOLS + "test_n1_n3_a_null_span_does_nothing_and_suppresses_nothing"],
        mutant(
            "a null span enters as another one", TELEMETRY, "        return self\n", "        return type(self)()\n"
        ),
    ),
    tested(
        "N2",
        "the null provider is off and gives null spans",
        [PROTOCOLS + "test_n2_n3_the_null_provider"],
        mutant("the null provider says it is on", TELEMETRY, "return False", "return True"),
    ),
    tested(
        "N3",
        "both have every member of their protocol",
        [
            PROTOCOLS + "test_n1_n3_a_null_span_does_nothing_and_suppresses_nothing",
            PROTOCOLS + "test_n2_n3_the_null_provider",
        ],
        mutant(
            "the null provider lacks flush",
            TELEMETRY,
            'def flush(self) -> None:\n        """Does nothing."""',
            'def drain(self) -> None:\n        """Does nothing."""',
        ),
    ),
)
