"""Random workflow functions, as source: whatever they do, they do the same as plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable

PIECES = '''
"""The functions that random workflows call."""


class TooLarge(Exception): ...


class Odd(TooLarge): ...


def double(n: int) -> int:
    return 2 * n % 1009


def add(a: int, b: int = 7) -> int:
    return (a + b) % 1013


def spread(n: int) -> list[int]:
    return [n % 5, n % 3, n % 7]


def total(items: list[int]) -> int:
    return sum(items) % 1021


def check(n: int) -> int:
    if n % 11 == 3:
        raise Odd(f"{n} is odd in a way")
    if n > 900:
        raise TooLarge(f"{n} is too large")
    return n


def undo(n: int) -> None: ...
'''

HEAD = """
from agentflow import compensate, gather, parallel, saga, step, wait, workflow
from pieces import Odd, TooLarge, add, check, double, spread, total, undo


def own(n: int) -> int:
    return n % 97


@workflow
def inner(n: int, m: int = 3) -> int:
    k = add(n, m)
    if k > 500:
        return double(k)
    return k

"""

NAMES = ("a", "b", "c", "d", "e")
LISTS = ("xs", "ys", "zs")


class Program:
    """Writes one function; names are only read where they are surely bound."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.lines: list[str] = []
        self.level = 1
        self.counters = 0

    def source(self, name: str) -> str:
        """The function, decorated."""
        self.lines = ["@workflow", f"def {name}(n: int, xs: list[int], m: int = 5):"]
        known = self.block({"n", "m"}, {"xs"}, 3, 5)
        numbers, lists = (sorted(each) for each in known)
        fields = ", ".join(f"'{each}': {each}" for each in [*numbers, *lists])
        self.line(f"return {{{fields}}}")
        return "\n".join(self.lines) + "\n"

    def line(self, text: str) -> None:
        self.lines.append("    " * self.level + text)

    def block(
        self, numbers: set[str], lists: set[str], depth: int, most: int
    ) -> tuple[set[str], set[str]]:
        """Statements; gives the names that are bound after them."""
        numbers, lists = set(numbers), set(lists)
        for _ in range(self.dice.randint(1, most)):
            simple = (
                self.number,
                self.number,
                self.call,
                self.change,
                self.list,
                self.map,
                self.fork,
            )
            inner = (self.branch, self.each, self.pairs, self.repeat, self.attempt, self.undone)
            kinds = simple + inner if depth else simple
            self.dice.choice(kinds)(numbers, lists, depth - 1)
        return numbers, lists

    def inside(
        self, numbers: set[str], lists: set[str], depth: int, also: Callable[[], None] | None = None
    ) -> tuple[set[str], set[str]]:
        self.level += 1
        known = self.block(numbers, lists, depth, 3)
        if also is not None:
            also()
        self.level -= 1
        return known

    # --- expressions ----------------------------------------------------------------------

    def value(self, numbers: set[str], depth: int = 2) -> str:
        kind = self.dice.randint(0, 6) if depth else 0
        if kind < 2:
            return self.dice.choice([*sorted(numbers), str(self.dice.randint(0, 40))])
        one, other = self.value(numbers, depth - 1), self.value(numbers, depth - 1)
        return (
            f"({one} + {other})",
            f"({one} * {other} % 1019)",
            f"({one} // {self.dice.randint(1, 9)})",
            f"abs({one} - {other})",
            f"({one} if {self.test(numbers)} else {other})",
        )[kind - 2]

    def test(self, numbers: set[str]) -> str:
        one, other = (self.dice.choice(sorted(numbers)) for _ in range(2))
        number = self.dice.randint(0, 60)
        return self.dice.choice(
            (f"{one} > {number}", f"{one} % 2 == 0", f"{one} < {other} or {one} == {number}",
             f"not {one} > {other} and {number} != {one}", f"0 < {one} <= {number}")
        )  # fmt: skip

    def called(self, numbers: set[str], depth: int = 2) -> str:
        """An expression that makes a call."""
        inner = (
            self.called(numbers, depth - 1)
            if depth and self.dice.random() < 0.3
            else self.value(numbers, 1)
        )
        return self.dice.choice(
            (f"double({inner})", f"add({inner})", f"add({inner}, b={self.value(numbers, 0)})",
             f"own({inner})", f"inner({inner})", f"step(double({inner}), timeout='30s')", f"double({inner}) + 1")
        )  # fmt: skip

    def items(self, lists: set[str], numbers: set[str]) -> str:
        name = self.dice.choice(sorted(lists))
        return self.dice.choice(
            (
                name,
                f"{name}[1:]",
                f"[k + 1 for k in {name} if k % 2 == 0]",
                f"[{self.value(numbers, 1)}, 4]",
            )
        )

    # --- statements -----------------------------------------------------------------------

    def number(self, numbers: set[str], lists: set[str], depth: int) -> None:
        name = self.dice.choice(NAMES)
        self.line(f"{name} = {self.value(numbers)} % 1031")
        numbers.add(name)

    def call(self, numbers: set[str], lists: set[str], depth: int) -> None:
        name = self.dice.choice(NAMES)
        self.line(f"{name} = {self.called(numbers)}")
        numbers.add(name)

    def change(self, numbers: set[str], lists: set[str], depth: int) -> None:
        name = self.dice.choice(sorted(numbers - {"m"}))
        self.line(f"{name} += {self.value(numbers, 1)} % 50")

    def list(self, numbers: set[str], lists: set[str], depth: int) -> None:
        name, items = self.dice.choice(LISTS), self.items(lists, numbers)
        # In loops over lists that grow, a program would never end.
        self.line(f"{name} = {items}[:4] + spread({self.value(numbers, 1)})")
        lists.add(name)

    def map(self, numbers: set[str], lists: set[str], depth: int) -> None:
        name, item = self.dice.choice(LISTS), self.dice.choice(("x", "a", "b"))
        items = self.items(lists, numbers)
        known = numbers | {item}
        condition = self.dice.choice(("", f" if {item} % 3 != 1"))
        kind = self.dice.randint(0, 2)
        if kind == 0:
            self.line(f"{name} = [{self.called(known)} for {item} in {items}{condition}]")
            lists.add(name)
        elif kind == 1:
            self.line(f"{name} = gather([double({item}) for {item} in {items}], batch='auto')")
            lists.add(name)
        else:
            target = self.dice.choice(NAMES)
            self.line(
                f"{target} = gather([add({item}) for {item} in {items}], reduce=total, arity=2)"
            )
            numbers.add(target)

    def fork(self, numbers: set[str], lists: set[str], depth: int) -> None:
        name = self.dice.choice(NAMES)
        if self.dice.random() < 0.5:
            one, other = self.called(numbers), self.called(numbers)
            self.line(f"{name} = parallel(one={one}, two={other})['two']")
            numbers.add(name)
        else:
            target = self.dice.choice(LISTS)
            self.line(f"{target} = parallel({self.called(numbers)}, {self.called(numbers)})")
            lists.add(target)

    def branch(self, numbers: set[str], lists: set[str], depth: int) -> None:
        test = self.dice.choice((self.test(numbers), f"{self.called(numbers)} > 200"))
        self.line(f"if {test}:")
        known = [self.inside(numbers, lists, depth)]
        for _ in range(self.dice.randint(0, 2)):
            test = self.dice.choice((self.test(numbers), f"{self.called(numbers)} > 100"))
            self.line(f"elif {test}:")
            known.append(self.inside(numbers, lists, depth))
        if self.dice.random() < 0.6:
            self.line("else:")
            known.append(self.inside(numbers, lists, depth))
        else:
            known.append((numbers, lists))
        numbers |= set.intersection(*(each for each, _ in known))
        lists |= set.intersection(*(each for _, each in known))

    def each(self, numbers: set[str], lists: set[str], depth: int) -> None:
        item = self.dice.choice(("x", "y", *NAMES))
        self.line(f"for {item} in {self.items(lists, numbers)}:")
        self.inside(numbers | {item}, lists, depth)

    def pairs(self, numbers: set[str], lists: set[str], depth: int) -> None:
        item = self.dice.choice(("x", "a"))
        self.line(f"for i, {item} in enumerate({self.items(lists, numbers)}):")
        self.inside(numbers | {"i", item}, lists, depth)

    def repeat(self, numbers: set[str], lists: set[str], depth: int) -> None:
        self.counters += 1
        counter = f"round_{self.counters}"
        self.line(f"{counter} = {self.dice.randint(1, 3)}")
        self.line(f"while {counter} > 0:")
        self.inside(numbers, lists, depth, lambda: self.line(f"{counter} -= 1"))

    def attempt(self, numbers: set[str], lists: set[str], depth: int) -> None:
        name = self.dice.choice(NAMES)
        self.line("try:")
        self.level += 1
        self.line(f"{name} = check({self.value(numbers, 1)})")
        self.level -= 1
        tried = self.inside(numbers | {name}, lists, depth)
        known = [tried]
        self.line(
            f"except {self.dice.choice(('Odd', 'TooLarge', '(Odd, ValueError)', 'Exception'))} as err:"
        )
        self.level += 1
        self.line(
            self.dice.choice((f"{name} = len(str(err))", f"{name} = len(f'{{err}}!')", "raise"))
        )
        self.level -= 1
        if not self.lines[-1].endswith("raise"):
            known.append(self.inside(numbers | {name}, lists, depth))
        if self.dice.random() < 0.3:
            self.line("finally:")
            self.inside(numbers, lists, 0)
        numbers |= set.intersection(*(each for each, _ in known))
        lists |= set.intersection(*(each for _, each in known))

    def undone(self, numbers: set[str], lists: set[str], depth: int) -> None:
        name = self.dice.choice(NAMES)
        self.line("with saga():")
        self.level += 1
        self.line(f"{name} = add({self.value(numbers, 1)})")
        self.line(f"compensate(undo, n={name})")
        if self.dice.random() < 0.3:
            self.line(f"if {name} % 7 == 1:")
            self.line(f"    raise TooLarge(f'{{{name}}} in a saga')")
        self.level -= 1
        inner = self.inside(numbers | {name}, lists, depth)
        numbers |= inner[0]
        lists |= inner[1]
