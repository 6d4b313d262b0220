"""What a finished session log tells: read whole, with all its damage, and put in the order in which it was played."""

from pytest_mala.session.history.lines import LogLine, SessionLog, SessionLogError, Torn, read_log
from pytest_mala.session.history.story import Prompt, Said, Story, story_of

__all__ = ["LogLine", "Prompt", "Said", "SessionLog", "SessionLogError", "Story", "Torn", "read_log", "story_of"]
