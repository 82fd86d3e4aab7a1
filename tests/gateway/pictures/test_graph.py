"""The task graph as a picture: where tasks stand, how their states look, and that names can't break out of it."""

import random
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.gateway.pictures.graph import NARROW_COLUMNS, TaskBox, described, graph
from workers.gateway.pictures.layers import Layout, depths_of, direct, laid_out
from workers.gateway.pictures.marks import LOOKS
from workers.gateway.pictures.markup import Frame
from workers.gateway.pictures.routes import HIGH, WIDE, Grid, route

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ["</title><script>alert(1)</script>", '"><a onload=x', "a\x00b\x1b[2J", "\u202eexe", "\ud800", "]]>", "&#0;"]
NEEDS = {
    "plan": (), "design": ("plan",), "api": ("design",), "store": ("design",), "test_api": ("api", "plan"),
    "test_store": ("store",), "verify": ("api", "store", "test_api", "test_store"), "package": ("verify", "design"),
}  # fmt: skip


def boxes(needs: dict[str, tuple[str, ...]], state: str = "waiting") -> list[TaskBox]:
    return [TaskBox(task, "backend_developer", state, wanted) for task, wanted in needs.items()]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Needs among up to 30 tasks, each on ones before it."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 30))
    return {
        f"t{n}": tuple(f"t{before}" for before in sorted(rng.sample(range(n), min(n, rng.randrange(4)))))
        for n in range(count)
    }


def thicket(tasks: int) -> dict[str, tuple[str, ...]]:
    rng = random.Random(5)
    return {
        f"t{n}": tuple({f"t{rng.randrange(max(0, n - 20), n)}" for _ in range(3)} if n else ()) for n in range(tasks)
    }


@given(graphs(), st.integers(1, 7))
def test_every_task_stands_below_all_that_it_needs_and_has_a_place_of_its_own(needs: dict, columns: int) -> None:
    layout = laid_out(needs, columns)
    places = {(layout.line(task), layout.cells[task].column) for task in needs}
    assert len(places) == len(needs)
    assert all(0 <= cell.column < columns for cell in layout.cells.values())
    for task, wanted in needs.items():
        assert layout.cells[task].layer == max((layout.cells[need].layer + 1 for need in wanted), default=0)


@given(graphs(), st.integers(1, 7), st.sampled_from(sorted(LOOKS)))
def test_a_state_moves_nothing(needs: dict, columns: int, state: str) -> None:
    def corners(picture: str) -> list[str]:
        return [text.get("x", "") + "," + text.get("y", "") for text in names(picture)]

    def names(picture: str) -> list[ElementTree.Element]:
        return [text for text in ElementTree.fromstring(picture).iter(f"{SVG}text") if text.get("class") == "name"]

    assert corners(graph("r", boxes(needs), columns)) == corners(graph("r", boxes(needs, state), columns))


@given(graphs(), st.integers(1, 7))
def test_what_comes_in_below_moves_nothing(needs: dict, columns: int) -> None:
    before, last = laid_out(needs, columns), max(depths_of(needs).values())
    deepest = next(task for task, depth in depths_of(needs).items() if depth == last)
    after = laid_out({**needs, "repair_1": (deepest,), "verify_2": ("repair_1",)}, columns)
    assert {task: after.cells[task] for task in needs} == before.cells


@given(graphs(), st.integers(1, 7), st.integers(0, 29))
def test_with_the_layout_before_a_task_beside_others_moves_none_of_them(needs: dict, columns: int, at: int) -> None:
    before = laid_out(needs, columns)
    needed = (f"t{at % len(needs)}",)
    after = laid_out({"new": needed, "lone": (), **needs}, columns, before)
    assert {task: after.cells[task] for task in needs} == before.cells
    assert len({(after.line(task), after.cells[task].column) for task in after.cells}) == len(needs) + 2


def test_a_layout_of_other_columns_is_not_kept() -> None:
    assert laid_out(NEEDS, 2, laid_out(NEEDS, 5)) == laid_out(NEEDS, 2)


def test_tasks_stand_below_what_they_need_so_that_lines_dont_cross() -> None:
    needs = {"a": (), "b": (), "c": (), "of_c": ("c",), "of_b": ("b",), "of_a": ("a",)}
    cells = laid_out(needs, 3).cells
    assert [cells[task].column for task in ("of_a", "of_b", "of_c")] == [0, 1, 2]


def test_more_tasks_than_columns_go_on_in_the_next_row() -> None:
    layout = laid_out({f"t{n}": () for n in range(7)}, 5)
    assert [(cell.row, cell.column) for cell in layout.cells.values()] == [
        (0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2),
    ]  # fmt: skip


def test_a_circle_is_drawn_all_the_same() -> None:
    needs = {"a": ("c", "a", "unknown"), "b": ("a",), "c": ("b",)}
    assert depths_of(needs) == {"a": 0, "b": 1, "c": 2}
    ElementTree.fromstring(graph("r", boxes(needs)))


def test_a_line_that_says_nothing_new_is_left_out() -> None:
    assert direct(NEEDS, depths_of(NEEDS)) == {
        "plan": [], "design": ["plan"], "api": ["design"], "store": ["design"], "test_api": ["api"],
        "test_store": ["store"], "verify": ["test_api", "test_store"], "package": ["verify"],
    }  # fmt: skip


@given(graphs())
def test_without_the_lines_left_out_every_task_still_comes_after_the_same_ones(needs: dict) -> None:
    def behind(of: dict) -> dict:
        found: dict[str, set[str]] = {}
        for task in needs:
            found[task] = set(of[task]).union(*(found[need] for need in of[task]))
        return found

    assert behind(direct(needs, depths_of(needs))) == behind(needs)


def crossed(grid: Grid, upper: str, lower: str) -> list[str]:
    """Boxes that the straight part of a line runs through."""
    rows, way = grid.between(upper, lower), grid.way(upper, lower)
    cells = grid.layout.cells
    return [
        task for task in cells
        if grid.layout.line(task) in rows and grid.corner(task)[0] <= way <= grid.corner(task)[0] + WIDE
    ]  # fmt: skip


@given(graphs(), st.integers(1, 5))
def test_no_line_runs_through_a_box_or_out_of_the_picture(needs: dict, columns: int) -> None:
    grid = Grid(laid_out(needs, columns))
    for task, wanted in needs.items():
        for need in wanted:
            assert route(grid, need, task)
            if grid.between(need, task):
                assert crossed(grid, need, task) == []
                assert 0 < grid.way(need, task) < grid.width


def test_every_state_differs_from_every_other_without_its_colour() -> None:
    looks = {state: look for state, look in LOOKS.items() if state != "waiting for budget"}
    assert len({(look.border, look.shape, look.mark) for look in looks.values()}) == len(looks)
    for state in LOOKS:
        assert f">{state}</text>" in graph("r", [TaskBox("t", "r", state)])


def test_an_unknown_state_is_said_and_looks_as_if_it_waited() -> None:
    picture = graph("r", [TaskBox("t", "r", "on holiday")])
    assert ">on holiday</text>" in picture
    assert "1 on holiday" in described([TaskBox("t", "r", "on holiday")])


def test_a_need_that_is_done_has_a_whole_line_and_others_a_dashed_one() -> None:
    picture = graph("r", [TaskBox("a", "r", "done"), TaskBox("b", "r"), TaskBox("c", "r", needs=("a", "b"))])
    assert picture.count('class="edge"') == picture.count('class="edge open"') == 1


def test_the_description_counts_states_and_names_what_needs_a_look() -> None:
    tasks = [TaskBox(f"f{n}", "r", "failed") for n in range(7)] + [
        TaskBox("a", "r", "done"),
        TaskBox("b", "r", "running"),
    ]
    assert described(tasks) == (
        "9 tasks: 1 done, 1 running, 7 failed. Failed: f0, f1, f2, f3, f4 and 2 more. Running: b."
    )


def test_a_run_without_tasks_says_so() -> None:
    assert "no tasks yet" in graph("r", [])


@pytest.mark.parametrize("columns", [0, -1])
def test_a_graph_without_columns_is_refused(columns: int) -> None:
    with pytest.raises(ValueError, match="give 1 or more"):
        graph("r", boxes(NEEDS), columns)


@settings(max_examples=60)
@given(st.lists(st.tuples(*[st.text(max_size=80) | st.sampled_from(HOSTILE)] * 4), max_size=6), st.text(max_size=40))
def test_whatever_names_say_the_picture_is_well_formed_and_holds_only_its_own_elements(texts: list, run: str) -> None:
    tasks = [TaskBox(name, role, state, (texts[0][0],), note) for name, role, state, note in texts]
    picture = graph(run, tasks)
    root = ElementTree.fromstring(picture.encode())
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "rect", "g", "path", "text",
    }  # fmt: skip
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on") or "href" in key]


def test_two_hundred_tasks_are_drawn_with_the_same_bytes_each_time_and_no_box_over_another() -> None:
    tasks = boxes({task: tuple(sorted(wanted)) for task, wanted in thicket(200).items()})
    picture = graph("r", tasks)
    assert picture == graph("r", tasks)
    assert len(picture) < 250_000
    grid = Grid(laid_out({task.task: task.needs for task in tasks}, 5))
    spots = [grid.corner(task.task) for task in tasks]
    assert all(abs(x - a) >= WIDE or abs(y - b) >= HIGH for n, (x, y) in enumerate(spots) for a, b in spots[:n])


def test_on_a_phone_it_is_narrow_enough_to_be_read() -> None:
    root = ElementTree.fromstring(graph("r", boxes(NEEDS), NARROW_COLUMNS))
    assert float(root.get("width", "0")) * 0.8 < 390
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


def test_a_picture_within_a_page_has_ids_of_its_own_and_no_style() -> None:
    picture = graph("r", boxes(NEEDS), frame=Frame("run-r", alone=False))
    assert "<style" not in picture
    assert 'id="run-r-title"' in picture and 'aria-labelledby="run-r-title run-r-desc"' in picture


def test_the_last_of_two_tasks_of_one_name_counts() -> None:
    picture = graph("r", [TaskBox("t", "r", "ready"), TaskBox("t", "r", "done")])
    assert ">done<" in picture and ">ready<" not in picture


def test_an_empty_layout_has_no_rows() -> None:
    assert laid_out({}, 3) == Layout(3, {}, ())
