"""Loading files and texts: what cannot be read, children, digests."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from agentflow.errors import Diagnostic, SpecError
from agentflow.spec import find_root, load, loads
from agentflow.spec.read import read
from agentflow.spec.source import plain

SPECS = Path(__file__).parents[2] / "specs"
HELLO = "workflow: hello\ndo: [{id: a, return: 1}]\n"


def mistakes(path: Path) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        load(path)
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("data", "code", "said", "place"),
    [
        (b"", "AF112", "empty", (1, 1)),
        (b"\x7fELF\x00\x01", "AF102", "binary", (1, 1)),
        (b"workflow: w\ndo: \xe9\n", "AF102", "0xe9 is not UTF-8", (2, 5)),
        ("workflow: w".encode("utf-16"), "AF102", "UTF-8", (1, 1)),
        (b"x" * 2_000_000, "AF104", "larger than", (1, 1)),
        (b"States: {}\nStartAt: A\n", "AF122", "--from aws", (2, 1)),
    ],
    ids=["empty", "binary", "latin-1", "utf-16", "large", "a state machine"],
)
def test_a_file_that_is_no_spec_is_refused(
    tmp_path: Path, data: bytes, code: str, said: str, place: tuple[int, int]
) -> None:
    path = tmp_path / "flow.yaml"
    path.write_bytes(data)

    [found] = mistakes(path)

    assert found.code == code
    assert said in f"{found.message} {found.help}"
    assert (found.span.line, found.span.column) == place
    assert found.span.file == str(path)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    [found] = mistakes(tmp_path / "nope.yaml")

    assert (found.code, found.message) == ("AF103", "there is no such file")


def test_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    [found] = mistakes(tmp_path)

    assert (found.code, found.message) == ("AF103", "this is a folder, not a file")


def test_a_path_that_cannot_be_one_is_one_clear_error() -> None:
    assert mistakes(Path("a" * 5000))[0].code == "AF103"
    assert mistakes(Path("a\0b"))[0].code == "AF103"


def test_a_file_under_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(HELLO)

    assert mistakes(tmp_path / "flow.yaml" / "inner.yaml")[0].code == "AF103"


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_spec_of_the_repository_is_right(path: Path) -> None:
    loaded = load(path)

    assert loaded.workflow.name == path.stem
    assert loaded.root == SPECS.parent


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_same_spec_as_json_is_the_same_workflow(path: Path) -> None:
    children = {child.name: child.read_text() for child in SPECS.glob("*.yaml")}
    text = path.read_text()
    data = plain(read(text, "t.yaml", []))

    for path_of_json, written in (
        ("t.json", json.dumps(data)),
        ("t.json", json.dumps(data, indent="\t", ensure_ascii=False, sort_keys=True)),
        ("t.yaml", json.dumps(data, indent=2, ensure_ascii=False)),
    ):
        again = loads(written, path=path_of_json, children=children).workflow
        original = loads(text, children=children).workflow
        assert again.digest == original.digest
        assert _without_places(again) == _without_places(original)


def _without_places(value: object) -> object:
    """Everything of a workflow but its spans."""
    if hasattr(value, "__dataclass_fields__"):
        names = [
            name for name in value.__dataclass_fields__ if name not in ("span", "place", "tree")
        ]
        return type(value), {name: _without_places(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: _without_places(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_places(item) for item in value]
    return value


def test_the_digest_ignores_comments_order_and_style_and_nothing_else() -> None:
    digest = loads(HELLO).workflow.digest

    assert (
        loads("# hi\ndo:\n- return: 1\n  id: 'a'\nworkflow: \"hello\"\n").workflow.digest == digest
    )
    assert loads(HELLO.replace("1", "1.0")).workflow.digest != digest
    assert loads(HELLO.replace("1", "'1'")).workflow.digest != digest


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + HELLO.encode())

    assert load(path).workflow.digest == loads(HELLO).workflow.digest


def test_a_workflow_survives_pickling() -> None:
    workflow = loads('workflow: w\ndo: [{id: a, return: "x ${ input }"}]').workflow

    assert pickle.loads(pickle.dumps(workflow)) == workflow


# --- children ----------------------------------------------------------------------------------


def project(folder: Path, **specs: str) -> Path:
    (folder / "agentflow.toml").touch()
    for name, text in specs.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def runs(name: str, *children: str) -> str:
    steps = "".join(f"  - {{id: s{n}, run: {child}}}\n" for n, child in enumerate(children))
    return f"workflow: {name}\ndo:\n{steps}"


def test_children_are_found_by_path_and_by_name_and_read_once(tmp_path: Path) -> None:
    folder = project(
        tmp_path, a=runs("a", "b.yaml", "deep", "./b.yaml"), b=HELLO, c=runs("deep", "b.yaml")
    )

    loaded = load(folder / "a.yaml")

    assert set(loaded.workflow.children) == {"b.yaml", "deep", "./b.yaml"}
    assert loaded.workflow.children["b.yaml"] is loaded.workflow.children["./b.yaml"]
    assert loaded.children["deep"].workflow.children["b.yaml"].name == "hello"
    assert loaded.children["b.yaml"].text == HELLO
    assert loaded.children["b.yaml"].path == str(folder / "b.yaml")


def test_a_childs_change_changes_the_parents_digest(tmp_path: Path) -> None:
    folder = project(tmp_path, a=runs("a", "b.yaml"), b=HELLO)
    before = load(folder / "a.yaml").workflow.digest
    (folder / "b.yaml").write_text(HELLO.replace("1", "2"))

    assert load(folder / "a.yaml").workflow.digest != before


def test_a_childs_mistakes_are_reported_in_its_own_file(tmp_path: Path) -> None:
    folder = project(tmp_path, a=runs("a", "b.yaml"), b="workflow: b\ndo: [{id: x, retrun: 1}]\n")

    with pytest.raises(SpecError) as caught:
        load(folder / "a.yaml")

    [found] = caught.value.diagnostics
    assert found.span.file == str(folder / "b.yaml")
    assert caught.value.sources[found.span.file].startswith("workflow: b")


@pytest.mark.parametrize(
    ("specs", "code", "said"),
    [
        ({"a": runs("a", "a.yaml")}, "AF412", "`a.yaml` runs `a.yaml`"),
        ({"a": runs("a", "a")}, "AF412", "cannot run itself"),
        ({"a": runs("a", "b.yaml"), "b": runs("b", "a.yaml")}, "AF412", "`a.yaml` runs `b.yaml` runs `a.yaml`"),
        ({"a": runs("a", "bb.yaml"), "b": HELLO}, "AF411", "did you mean `b.yaml`?"),
        ({"a": runs("a", "helo"), "b": HELLO}, "AF411", "did you mean `hello`?"),
        ({"a": runs("a", "no/such.yaml")}, "AF411", "relative to this file"),
        ({"a": runs("a", "hello"), "b": HELLO, "c": HELLO}, "AF413", "`b.yaml` and `c.yaml`"),
    ],
    ids=["itself", "itself by name", "in a circle", "misspelt file", "misspelt name", "no folder", "twice"],
)  # fmt: skip
def test_a_child_that_cannot_be_run_is_reported_where_it_is_named(
    tmp_path: Path, specs: dict[str, str], code: str, said: str
) -> None:
    folder = project(tmp_path, **specs)

    [found] = mistakes(folder / "a.yaml")

    assert found.code == code
    assert said in f"{found.message} {found.help}"
    assert found.span.line == 3


def test_a_long_chain_of_children_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path, **{f"w{n}": runs(f"w{n}", f"w{n + 1}.yaml") for n in range(60)})

    [found] = mistakes(folder / "w0.yaml")

    assert found.code == "AF104"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{}", "`child` needs `folder`"),
        ("{foldr: x}", "did you mean `folder`?"),
        ("{folder: x, more: 1}", "takes no `more`"),
    ],
)
def test_a_childs_input_is_compared_with_its_schema(given: str, said: str) -> None:
    child = (
        "workflow: child\ninput: {type: object, properties: {folder: {}}, required: [folder], "
        "additionalProperties: false}\ndo: [{id: a, return: 1}]"
    )
    with pytest.raises(SpecError) as caught:
        loads(f"workflow: w\ndo: [{{id: a, run: child, with: {given}}}]", children={"child": child})

    [found] = caught.value.diagnostics
    assert found.code == "AF414"
    assert said in f"{found.message} {found.help}"


def test_children_of_a_text_are_given_as_texts_or_loaded() -> None:
    loaded = loads(HELLO)

    for given in (HELLO, loaded):
        parent = loads(runs("p", "hi"), children={"hi": given})
        assert parent.workflow.children["hi"].digest == loaded.workflow.digest


def test_children_that_are_texts_cannot_run_in_a_circle() -> None:
    with pytest.raises(SpecError) as caught:
        loads(runs("p", "a"), children={"a": runs("a", "b"), "b": runs("b", "a")})

    assert [d.code for d in caught.value.diagnostics] == ["AF412"]


@pytest.mark.parametrize("mark", ["agentflow.toml", "pyproject.toml", ".git"])
def test_the_project_is_the_nearest_folder_with_a_mark(tmp_path: Path, mark: str) -> None:
    inner = tmp_path / "one" / "two"
    inner.mkdir(parents=True)
    (tmp_path / "one" / mark).mkdir()

    assert find_root(inner / "flow.yaml") == tmp_path / "one"


def test_without_a_mark_the_project_is_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    if not any(
        (parent / mark).exists()
        for parent in tmp_path.parents
        for mark in (".git", "pyproject.toml")
    ):
        assert find_root(Path("flow.yaml")) == tmp_path
