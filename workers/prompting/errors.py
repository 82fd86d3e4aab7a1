"""What can be wrong with a prompt, and whose fault it is.

PromptRefused   the template's author: the file is outside of what templates may do
UnknownPrompt   the caller: there is no prompt of that name
UnknownPersona  the task: nobody of that name is known to see with
WrongInputs     the caller: inputs are missing, nobody asked for them, or they are nothing that JSON can say
TooLong         the task: what is to be shown does not fit into a prompt
PromptConflict  the caller: what is asked of a template's history does not go with what that says by now
"""

from pathlib import Path


class PromptError(Exception):
    """A prompt could not be loaded or rendered."""


class PromptRefused(PromptError):
    """The template is outside of what templates may do; the message begins with file, line and, if known, column.

    Lines and columns count from 1, columns in characters; 0 is a column that is not known.
    """

    def __init__(self, file: Path | str, line: int, why: str, column: int = 0) -> None:
        self.file, self.line, self.why, self.column = str(file), line, why, column
        super().__init__(f"{self.where}: {why}")

    @property
    def where(self) -> str:
        """`file:line:column`, as editors and other tools read it."""
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


class UnknownPrompt(PromptError):
    """No prompt has that name."""


class UnknownPersona(PromptError):
    """The prompt's role has no persona of that name."""


class WrongInputs(PromptError):
    """The inputs that were given are not those that the prompt declares."""


class TooLong(PromptError):
    """The rendered prompt would be longer than any model reads."""


class PromptConflict(PromptError):
    """What is asked does not go with the template's history. The message says what happened and what to do."""
