"""Bundles: what is in them, that they come out the same, and what is refused."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agentflow.adapters.bundle import dependencies, kit, requirements
from agentflow.adapters.bundle.build import Bundle, Limits
from agentflow.adapters.bundle.mistakes import CannotBundle
from agentflow.adapters.bundle.platforms import platform
from agentflow.errors import AgentFlowError, SpecError, Unavailable, UsageError
from tests.aws_deploy.projects import bundle, digest, project, wheel, write

HELPER = ("agentflow.adapters.bundle.helper",)


def names(made: Bundle) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(made.data)).namelist()


def test_a_bundle_holds_the_packages_of_the_functions_and_the_kit(tmp_path: Path) -> None:
    root = project(tmp_path, other__unused="")
    write(root / "shop" / "data.json", "{}")
    write(root / "shop" / "__pycache__" / "orders.cpython-312.pyc", "")
    found = names(bundle(root, entry={"entry.py": ""}))
    assert {"shop/orders.py", "shop/prices.py", "shop/data.json", "entry.py"} <= {*found}
    assert {"agentflow/__init__.py", "agentflow/errors.py", "agentflow/functions/invoke.py"} <= {
        *found
    }
    assert not [name for name in found if name.startswith(("other", "agentflow/spec"))]
    assert not [name for name in found if "__pycache__" in name]


def test_a_link_that_leads_back_is_not_followed_again_and_again(tmp_path: Path) -> None:
    root = project(tmp_path, shop__deep__thing="")
    (root / "shop" / "back").symlink_to(root / "shop")
    (root / "shop" / "deep" / "up").symlink_to("..")
    (root / "shop" / "data").symlink_to(project(tmp_path / "other") / "shop")
    found = names(bundle(root))
    assert {"shop/deep/thing.py", "shop/data/prices.py"} <= {*found}
    assert not [name for name in found if "/back/" in name or "/up/" in name]


def test_packages_that_the_functions_import_come_along(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        shop__orders="from lib.deep import thing\nimport single\n",
        lib__deep__thing="from . import beside\n",
        lib__deep__beside="",
        single="",
        apart="",
    )
    found = names(bundle(root))
    assert {"lib/deep/thing.py", "lib/deep/beside.py", "single.py"} <= {*found}
    assert "apart.py" not in found


def test_the_same_project_gives_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    one, two = project(tmp_path / "one"), project(tmp_path / "two")
    (two / "shop" / "orders.py").chmod(0o600)
    assert digest(bundle(one).data) == digest(bundle(two).data)


def test_a_bundle_is_small_with_the_helper_too(tmp_path: Path) -> None:
    made = bundle(project(tmp_path), modules=HELPER)
    assert made.own < 1 << 20
    assert "agentflow/spec/expressions/evaluate.py" in names(made)
    heavy = (
        "agentflow/runtime",
        "agentflow/cli",
        "agentflow/spec/load.py",
        "agentflow/spec/expressions/infer.py",
    )
    assert not [name for name in names(made) if name.startswith(heavy)]


def test_the_kit_and_the_helper_run_alone_and_import_nothing_heavy(tmp_path: Path) -> None:
    for name, data in kit.files(HELPER).items():
        write(tmp_path / name, data.decode())
    program = """
import sys
from agentflow import Context, function
import agentflow.functions.hosts.aws_lambda
from agentflow.adapters.bundle.helper import Helper
print(Helper().answer({"evaluate": {"v1": "${ len(a) + b }"},
                       "names": {"a": "abc", "b": 4}}, Context())["v1"])
heavy = {"yaml", "orjson", "jsonschema", "ray", "rich", "pydantic", "asyncio", "ssl", "subprocess"}
print(sorted(heavy & {*sys.modules}))
"""
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", program],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "7\n[]\n", done.stderr


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        pytest.param("def broken(:\n", "module shop.bad cannot be read", 1, id="a syntax error"),
        pytest.param("\nimport numpy.fft\n", "`numpy.fft` is not in the bundle", 2, id="absent"),
        pytest.param("import ray\n", "`ray` is not in the bundle", 1, id="Ray"),
        pytest.param(
            "from shop import nothing\n", "module `shop` has no `nothing`", 1, id="a name"
        ),
        pytest.param(
            "from .prices import BY\n", "module `shop.prices` has no `BY`", 1, id="a name beside"
        ),
        pytest.param(
            "from shop.deep import x\n", "the project has no module `shop.deep`", 1, id="a module"
        ),
        pytest.param(
            "from agentflow.runtime import api\n",
            "`agentflow.runtime` is not in the bundle",
            1,
            id="of agentflow, but not of the kit",
        ),
    ],
)
def test_a_module_that_would_not_import_is_told_with_its_place(
    tmp_path: Path, source: str, message: str, line: int
) -> None:
    root = project(tmp_path, shop__orders="from shop import bad\n", shop__bad=source)
    with pytest.raises(SpecError) as refused:
        bundle(root)
    (mistake,) = refused.value.diagnostics
    assert message in mistake.message
    assert (mistake.span.file, mistake.span.line) == ("shop/bad.py", line)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import boto3\n", id="the cloud has it"),
        pytest.param("def f():\n    import numpy\n", id="only when called"),
        pytest.param("from shop import prices\n", id="a module of its own"),
        pytest.param("from shop.prices import *\n", id="all names"),
        pytest.param("from shop.prices import OF\n", id="a name of its own"),
        pytest.param(
            "try:\n    from shop import speedups\nexcept ImportError: ...\n", id="perhaps"
        ),
        pytest.param("try:\n    import numpy\nexcept ImportError:\n    numpy = None\n", id="try"),
        pytest.param(
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy\n", id="types"
        ),
    ],
)
def test_imports_that_need_not_work_are_no_mistakes(tmp_path: Path, source: str) -> None:
    root = project(tmp_path, shop__orders=source)
    assert bundle(root, provided=frozenset({"boto3"}))


def test_a_function_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotBundle, match="neither in the project"):
        bundle(project(tmp_path), "elsewhere.function")


def test_functions_of_pythons_own_library_need_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # nor is anything installed for them
    monkeypatch.setattr(dependencies, "find_spec", lambda name: None)
    root = project(tmp_path)
    write(root / "requirements.txt", "six\n")
    assert not [name for name in names(bundle(root, "os.path.basename")) if "path" in name]


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        pytest.param(Limits(10, 1 << 30, "Lambda"), "as a zip", id="the zip"),
        pytest.param(Limits(1 << 30, 10, "Lambda"), "unpacked", id="unpacked"),
    ],
)
def test_a_bundle_that_is_too_large_says_what_is_large(
    tmp_path: Path, limits: Limits, what: str
) -> None:
    with pytest.raises(CannotBundle, match=f"{what}, Lambda takes .*most of it: agentflow"):
        bundle(project(tmp_path), limits=limits)


@pytest.mark.parametrize(
    ("files", "lines", "file"),
    [
        pytest.param({}, (), None, id="nothing"),
        pytest.param(
            {
                "pyproject.toml": '[project]\nname = "mine"\n'
                'dependencies = ["six>=1", "inferloop_agentflow[ray]", "Ray==2", "tiny"]\n'
            },
            ("six>=1", "tiny"),
            None,
            id="pyproject, without AgentFlow and Ray",
        ),
        pytest.param(
            {"pyproject.toml": "[tool.ruff]\n", "requirements.txt": "six\n"},
            (),
            "requirements.txt",
            id="a pyproject of tools",
        ),
        pytest.param(
            {"pyproject.toml": '[project]\nname = "inferloop-agentflow"\ndependencies = ["x"]\n'},
            (),
            None,
            id="AgentFlow's own repository",
        ),
        pytest.param(
            {
                "functions/requirements.txt": "six\n",
                "pyproject.toml": '[project]\nname = "x"\ndependencies = ["y"]\n',
            },
            (),
            "functions/requirements.txt",
            id="those of the functions alone",
        ),
    ],
)
def test_requirements_are_those_that_the_project_declares(
    tmp_path: Path, files: dict[str, str], lines: tuple[str, ...], file: str | None
) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    found = requirements.read(tmp_path)
    assert found.lines == lines
    assert found.file == (None if file is None else tmp_path / file)


def test_requirements_change_with_the_files_they_include(tmp_path: Path) -> None:
    write(tmp_path / "requirements.txt", "-r base.txt\n")
    write(tmp_path / "base.txt", "six\n")
    before = requirements.read(tmp_path).digest()
    write(tmp_path / "base.txt", "six==1\n")
    assert requirements.read(tmp_path).digest() != before


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only source of packages."""
    folder = tmp_path / "wheels"
    wheel(folder, "tinylib", "py3-none-any", "VALUE = 1\n")
    wheel(folder, "elsewhere", "cp312-cp312-win_amd64")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def test_dependencies_are_installed_once_and_bundled(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path / "p", shop__orders="import tinylib\n")
    write(root / "requirements.txt", "tinylib\ninferloop-agentflow\nray\n")
    made = bundle(root)
    assert "tinylib.py" in names(made)
    assert "tinylib-1.0.dist-info/METADATA" in names(made)
    assert not [name for name in names(made) if name.endswith(("RECORD", "INSTALLER"))]
    monkeypatch.setenv("PATH", "")  # uv is not needed again
    monkeypatch.setattr(dependencies, "find_spec", lambda name: None)
    assert digest(bundle(root).data) == digest(made.data)


def test_dependencies_that_nothing_imports_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(dependencies, "find_spec", lambda name: None)
    root = project(tmp_path)
    write(root / "requirements.txt", "six\n")
    assert bundle(root)


def test_a_dependency_without_a_wheel_for_the_platform_is_named(
    tmp_path: Path, wheels: Path
) -> None:
    root = project(tmp_path / "p", shop__orders="import elsewhere\n")
    write(root / "requirements.txt", "elsewhere\n")
    with pytest.raises(CannotBundle, match=r"no wheel for Python 3.12 on x86-64") as refused:
        bundle(root)
    assert "elsewhere" in refused.value.message
    assert "requirements.txt" in refused.value.help


def test_a_dependency_that_does_not_exist_is_named(tmp_path: Path, wheels: Path) -> None:
    root = project(tmp_path / "p", shop__orders="import nosuchthing\n")
    write(root / "requirements.txt", "nosuchthing\n")
    with pytest.raises(AgentFlowError, match="nosuchthing"):
        bundle(root)
    assert not [*(root / ".agentflow" / "bundles").iterdir()]


def test_a_project_that_cannot_keep_its_dependencies_is_told(tmp_path: Path) -> None:
    root = project(tmp_path, shop__orders="import tiny\n")
    write(root / "requirements.txt", "tiny\n")
    write(root / ".agentflow", "a file where the folder should be")
    with pytest.raises(CannotBundle, match=r"\.agentflow/bundles: Not a directory") as refused:
        bundle(root)
    assert "be written" in refused.value.help


def test_without_uv_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(dependencies, "find_spec", lambda name: None)
    root = project(tmp_path, shop__orders="import six\n")
    write(root / "requirements.txt", "six\n")
    with pytest.raises(Unavailable, match="uv") as refused:
        bundle(root)
    assert refused.value.help == "pip install uv"


@pytest.mark.parametrize(
    ("architecture", "python", "tag"),
    [
        ("x86-64", "3.12", "x86_64-manylinux_2_28"),
        ("arm64", "3.13", "aarch64-manylinux_2_28"),
        ("x86-64", "3.11", "x86_64-manylinux2014"),
    ],
)
def test_platforms_have_the_tags_of_wheels(architecture: str, python: str, tag: str) -> None:
    assert platform(architecture, python).tag == tag


@pytest.mark.parametrize("given", [("sparc", None), (None, "2.7")])
def test_platforms_that_no_cloud_has_are_refused(given: tuple[str | None, str | None]) -> None:
    with pytest.raises(UsageError):
        platform(*given)
