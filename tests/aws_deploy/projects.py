"""Small projects and wheels, made on the spot."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from agentflow.adapters.bundle.build import Bundle, Limits, Order, build
from agentflow.adapters.bundle.platforms import platform

SHOP = """\
import sys

from agentflow.functions import Context, Fault, function
from shop import prices


class OutOfStock(Exception):
    pass


@function
def total(items: list[str], context: Context) -> int:
    print("adding", len(items))
    return sum(prices.OF[item] for item in items)


def reserve(item: str) -> None:
    error = OutOfStock(f"no {item} left")
    error.data = {"item": item}
    raise error


def whoami(context: Context) -> dict:
    return {
        "execution": context.execution_id,
        "step": context.step,
        "attempt": context.attempt,
        "workflow": context.workflow,
        "key": context.idempotency_key,
        "secret": context.secret("TOKEN"),
        "bounded": context.remaining() is not None,
    }


def count(n: int):
    yield from range(n)


def large(size: int) -> str:
    return "x" * size


def fails_largely(size: int) -> None:
    raise Fault("TooMuch", "large data", data="y" * size)


async def later(x: int) -> int:
    return x + 1
"""

PRICES = 'OF = {"tea": 3, "cup": 5}\n'


def project(folder: Path, **files: str) -> Path:
    """A project with the shop's functions and further files; `__` in a name is a slash."""
    every = {
        "agentflow.toml": "",
        "shop/__init__.py": "",
        "shop/orders.py": SHOP,
        "shop/prices.py": PRICES,
    }
    every |= {name.replace("__", "/") + ".py": text for name, text in files.items()}
    for name, text in every.items():
        write(folder / name, text)
    return folder


def write(file: Path, text: str) -> None:
    """Write a file, and the folders around it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def order(root: Path, *functions: str, **more: object) -> Order:
    """An order for the shop's functions, within Lambda's limits."""
    limits = Limits(50 << 20, 250 << 20, "Lambda")
    chosen = functions or ("shop.orders.total",)
    settings: dict[str, object] = {"platform": platform(python="3.12"), "limits": limits, **more}
    return Order(chosen, root, **settings)  # type: ignore[arg-type]


def bundle(root: Path, *functions: str, **more: object) -> Bundle:
    """The bundle of an order."""
    return build(order(root, *functions, **more))


def wheel(folder: Path, name: str, tag: str, source: str = "") -> None:
    """A wheel of one module."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)


def digest(data: bytes) -> str:
    """Of bytes, to compare."""
    return hashlib.sha256(data).hexdigest()
