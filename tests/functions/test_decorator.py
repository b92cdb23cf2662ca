from __future__ import annotations

from datetime import timedelta

import pytest

from agentflow.errors import UsageError
from agentflow.functions import Context, Fault, current, function
from agentflow.functions.context import entered
from agentflow.functions.decorator import options_of


def test_a_decorated_function_is_the_function_it_was() -> None:
    def double(x: int) -> int:
        return 2 * x

    assert function(double) is double
    assert function(name="twice")(double)(4) == 8


def test_options_stand_on_the_function() -> None:
    @function(name="n", retry={"max_attempts": 3}, timeout="1m30s", resources={"num_cpus": 2})
    def work() -> None: ...

    options = options_of(work)
    assert options is not None
    assert (options.name, options.timeout) == ("n", 90.0)
    assert (options.retry, options.resources) == ({"max_attempts": 3}, {"num_cpus": 2})


def test_a_plain_function_has_no_options() -> None:
    assert options_of(len) is None


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [("500ms", 0.5), (2, 2.0), (timedelta(minutes=1), 60.0), (None, None)],
    ids=["text", "seconds", "timedelta", "none"],
)
def test_a_timeout_is_written_in_several_ways(timeout: object, seconds: float | None) -> None:
    @function(timeout=timeout)  # type: ignore[arg-type]  # a table of types
    def work() -> None: ...

    options = options_of(work)
    assert options is not None
    assert options.timeout == seconds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": "soon"}, "timeout 'soon' is not a duration"),
        ({"timeout": 0}, "timeout 0 is not a duration above zero"),
        ({"timeout": True}, "timeout True is not a duration above zero"),
        ({"retry": {"max_atempts": 3}}, "did you mean 'max_attempts'"),
        ({"resources": {"cpus": 3}}, "unknown key 'cpus' in resources"),
    ],
    ids=["text", "zero", "boolean", "retry key", "resource key"],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        function(**options)  # type: ignore[call-overload]  # wrong on purpose


def test_the_name_must_be_given_by_keyword() -> None:
    with pytest.raises(UsageError, match="not a function"):
        function("name")  # type: ignore[call-overload]  # wrong on purpose


class TestContext:
    def test_the_idempotency_key_is_the_same_on_every_attempt(self) -> None:
        keys = {Context("e1", step="a[3].b", attempt=n).idempotency_key for n in (1, 2, 3)}
        assert keys == {"e1/a[3].b"}

    def test_remaining_counts_down_to_zero(self) -> None:
        assert Context().remaining() is None
        assert Context(deadline=0.0).remaining() == 0.0
        left = Context(deadline=2e10).remaining()
        assert left is not None
        assert left > 0

    def test_current_gives_the_context_of_the_call(self) -> None:
        context = Context("e2")
        with entered(context):
            assert current() is context
        with pytest.raises(UsageError, match="outside of a step"):
            current()

    def test_a_secret_comes_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        context = Context(secrets=("API_KEY",))
        monkeypatch.setenv("API_KEY", "plain")
        assert context.secret("API_KEY") == "plain"
        monkeypatch.setenv("AGENTFLOW_SECRET_API_KEY", "ours")
        assert context.secret("API_KEY") == "ours"

    def test_a_secret_that_is_not_declared_is_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("API_KEY", "plain")
        with pytest.raises(Fault, match=r"add it to the spec: secrets: \[API_KEY\]"):
            Context().secret("API_KEY")

    def test_a_secret_that_is_not_set_says_how_to_set_it(self) -> None:
        with pytest.raises(Fault, match="set AGENTFLOW_SECRET_NOT_THERE or NOT_THERE"):
            Context(secrets=("NOT_THERE",)).secret("NOT_THERE")
