"""Which examples a prompt shows, and how copies of them are noticed."""

import json
from hashlib import sha256
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.v1.projects import Criterion, Requirements
from contracts.v1.prompts import ExampleKept
from workers.prompting.examples import chosen, copied, guard, resemblance, similarities, text_of, words_of

SHOP = "a web shop that sells books and takes orders by mail"
CHESS = "a chess engine that plays against a person in the terminal"
PARSER = "a parser of dates that reads many languages and time zones"
LIBRARY = "a web catalogue of a library that lends books and takes orders from readers"


class Slot(NamedTuple):
    most: int = 2
    like: str = "idea"
    copies: float = 0.8


def example(idea, won=True, run="old", reply="done", **more):
    id = sha256(repr((idea, won, run, reply)).encode()).hexdigest()[:12]
    inputs = {"idea": idea, "style": "plain"} | more
    return ExampleKept(
        role="architect", name="design", id=id, inputs=inputs, reply={"text": reply}, won=won, tenant="t", run=run
    )


SLOT = Slot()

KEPT = [example(idea) for idea in (SHOP, CHESS, PARSER)]


def ideas(kept, idea=LIBRARY, slot=SLOT, run=("t", "now")):
    return [one.inputs["idea"] for one in chosen(kept, {"idea": idea, "style": "x"}, slot, run)]


def test_the_most_similar_examples_are_shown_first_and_no_more_than_the_slot_takes():
    assert ideas(KEPT)[0] == SHOP and len(ideas(KEPT)) == 2
    assert ideas(KEPT, "a chess clock in the terminal", Slot(most=1)) == [CHESS]
    assert ideas(KEPT, slot=Slot(most=0)) == [] and ideas([]) == []


def test_examples_that_lost_are_never_shown_and_those_that_won_come_before_unknown_ones():
    assert ideas([example(SHOP, won=False), example(CHESS)]) == [CHESS]
    assert ideas([example(SHOP, won=None), example(CHESS, won=True)]) == [CHESS, SHOP]


def test_no_example_is_of_the_same_run():
    assert ideas([example(SHOP, run="now"), example(CHESS)]) == [CHESS]
    assert ideas([example(SHOP, run="now")], run=("other", "now")) == [SHOP]
    assert ideas([example(SHOP, run="now")], run=None) == [SHOP]


def test_an_example_with_nearly_the_same_question_is_not_shown():
    long = f"{LIBRARY}, prints a card for each reader, and reminds them by mail when a book is due"
    assert ideas([example(LIBRARY)]) == [] and ideas([example(LIBRARY.upper() + "!")]) == []
    assert ideas([example(long + " again")], long) == []
    assert ideas([example(SHOP)], SHOP + " or by telephone, with a warehouse behind") == [SHOP]


def test_an_example_without_the_input_that_similarity_goes_by_is_not_shown():
    assert ideas(KEPT, slot=Slot(like="plan")) == []


def test_values_of_contracts_are_compared_by_what_they_say():
    criteria = (Criterion(id="AC-1", statement="books are lent"),)
    asked = Requirements(title="Library", package="library", summary=LIBRARY, criteria=criteria)
    same = example(asked.model_dump(mode="json"))
    assert chosen([same, *KEPT], {"idea": asked}, Slot(), None)[0] == KEPT[0]
    assert same not in chosen([same, *KEPT], {"idea": asked}, Slot(9), None)


@given(st.permutations(KEPT), st.sampled_from((LIBRARY, SHOP, CHESS, "", "chess shop")))
def test_the_order_that_examples_were_kept_in_does_not_matter(kept, idea):
    assert ideas(kept, idea) == ideas(KEPT, idea)


def test_rare_words_weigh_more_than_usual_ones():
    texts = [words_of(text) for text in ("the the the game", "the zebra", "the house", "the tree")]
    scores = similarities(texts, words_of("the zebra"))
    assert scores.index(max(scores)) == 1 and min(scores) > 0
    assert similarities([], ("a",)) == [] and similarities([()], ("a",)) == [0.0]


def test_resemblance_is_from_nothing_shared_to_all():
    assert resemblance(words_of("one two three"), words_of("four five six")) == 0
    assert resemblance(("a",), ("a",)) == 1 == resemblance((), ())
    assert resemblance(words_of("a b c d"), words_of("a b c e")) == pytest.approx(1 / 3)


def test_text_has_the_leaves_of_a_value_and_not_its_keys():
    assert text_of({"key": ["a  b\n c", 2, True, None, {"more": 0.5}]}) == "a b c\n2\n0.5"


LONG = "Orders are kept in a table with one row for each book, and each row names the reader who asked for it."
OWN = "Moves are searched to a depth of six, and the evaluation counts material, mobility and safety of the king."


def test_only_long_pieces_count_as_copied():
    assert copied(LONG, LONG) == 1
    assert copied(OWN, LONG) == 0 == copied("", LONG)
    bare, own = ("".join(filter(str.isalnum, text)) for text in (LONG, OWN))
    assert copied(bare[:39], LONG) == 0 and copied(bare[:40], LONG) == 1
    assert copied(LONG + OWN, LONG) == pytest.approx(len(bare) / len(bare + own))


def test_what_was_asked_may_be_repeated():
    assert copied(LONG, LONG, asked=f"Mind this: {LONG}") == 0
    assert 0 < copied(LONG, LONG, asked=LONG[:60]) < 1


@given(st.text("ab ", max_size=200), st.text("ab ", max_size=200), st.text("ab ", max_size=80))
def test_a_share_is_a_share(reply, shown, asked):
    assert 0 <= copied(reply, shown, asked) <= 1


def refusal(text, slot=SLOT, reply=LONG, idea=LIBRARY):
    return guard(slot, [example(SHOP, reply=reply)], {"idea": idea})(text)


@pytest.mark.parametrize("form", ["{}", "Here it is:\n```json\n{}\n```"])
def test_a_reply_that_copies_an_example_is_refused_in_whatever_form_it_comes(form):
    text = form.replace("{}", json.dumps({"text": LONG.replace(" ", "\n  ")}, indent=2))
    assert refusal(text) == [
        "100% of the reply is copied from an example; answer what is asked, the examples show the form"
    ]


def test_a_reply_with_own_words_passes():
    assert refusal(json.dumps({"text": OWN})) == []
    assert refusal(json.dumps({"text": LONG[:50] + OWN})) == []
    assert refusal("no JSON at all, " + OWN) == [] and refusal("") == []


def test_pieces_of_several_examples_count_together():
    check = guard(Slot(), [example(SHOP, reply=LONG), example(CHESS, reply=OWN)], {"idea": LIBRARY})
    assert check(json.dumps({"a": LONG, "b": OWN}))


def test_how_much_may_be_copied_is_up_to_the_slot_and_what_was_asked_is_free():
    text = json.dumps({"text": LONG + OWN})
    assert refusal(text, Slot(copies=0.3)) and not refusal(text, Slot(copies=0.6))
    assert not refusal(json.dumps({"text": LONG}), idea=LONG)


@pytest.mark.parametrize(
    "disguised",
    [
        lambda text: text.upper(),
        "\u200b".join,
        lambda text: "\n".join(text[at : at + 39] for at in range(0, len(text), 39)),
        lambda text: text.replace(" ", ", "),
    ],
    ids=["another case", "unseen characters", "short lines", "other marks"],
)
def test_a_copy_is_one_in_whatever_case_and_with_whatever_between_its_words(disguised):
    text = "The design is sound, its modules are small and every requirement is covered by a module of its own."
    assert copied(disguised(text), text) > 0.95
