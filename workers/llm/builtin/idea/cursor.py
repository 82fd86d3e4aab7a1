"""A place in the tokens of a clause, and the small steps that rules are made of."""

from collections.abc import Set

from workers.llm.builtin.idea.clauses import Token, said
from workers.llm.builtin.idea.lexicon import DETERMINERS, EACH, MANY


class Cursor:
    """Reads tokens one after the other. Rules go back to a remembered `place` when they don't fit."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self.place = 0

    @property
    def done(self) -> bool:
        return self.place >= len(self.tokens)

    @property
    def rest(self) -> str:
        """What is still to be read, as text."""
        return said(self.tokens[self.place :])

    def since(self, place: int) -> str:
        """What was read since that place, as text."""
        return said(self.tokens[place : self.place])

    def peek(self, ahead: int = 0) -> Token:
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else Token("end", "", "")

    def word(self, ahead: int = 0) -> str:
        """The word ahead, or an empty text if there is none."""
        token = self.peek(ahead)
        return token.word if token.mark == "word" else ""

    def take(self) -> Token:
        token = self.peek()
        self.place += 1
        return token

    def mark(self, *marks: str) -> bool:
        """Go past one of these marks if it is next."""
        if self.peek().mark in marks and not self.done:
            self.place += 1
            return True
        return False

    def one_of(self, words: Set[str]) -> str:
        """Go past the next word if it is one of these."""
        word = self.word()
        if word and word in words:
            self.place += 1
            return word
        return ""

    def phrase(self, *phrases: str) -> str:
        """Go past the first of these phrases that is next."""
        for phrase in phrases:
            words = phrase.split()
            if all(self.word(ahead) == word for ahead, word in enumerate(words)):
                self.place += len(words)
                return phrase
        return ""

    def determiner(self) -> bool:
        """Go past `a`, `the`, `each` and the like; true for those that speak of every single one."""
        single = False
        while self.word() in DETERMINERS | EACH:
            single = single or self.word() in EACH | {"a", "an"}
            self.place += 1
        return single

    def quantity(self) -> str:
        """Go past a quantity: `many`, `one`, or nothing."""
        if self.phrase(
            "any number of", "one or more", "zero or more", "a list of", "list of", "lots of", "at least one"
        ):
            return "many"
        if self.one_of(MANY):
            return "many"
        return "one" if self.phrase("exactly one", "at most one", "only one", "a single", "one") else ""

    def separator(self) -> bool:
        """Go past a comma, `and` or both."""
        found = self.mark(",")
        return bool(self.phrase("and also", "and", "as well as", "plus", "along with", "&")) or found

    def group(self) -> "Cursor | None":
        """Go past a bracketed group and return a cursor for what is in it."""
        if self.peek().mark != "(":
            return None
        depth, start = 0, self.place + 1
        while not self.done:
            token = self.take()
            depth += (token.mark == "(") - (token.mark == ")")
            if depth == 0:
                break
        end = self.place - 1 if self.tokens[self.place - 1].mark == ")" else self.place
        return Cursor(self.tokens[start:end])
