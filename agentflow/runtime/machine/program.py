"""A workflow compiled for the machine: every template a closure, every step a node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from agentflow.errors import Json
from agentflow.runtime.machine.block import BlockNode, ConditionNode, GuardNode
from agentflow.runtime.machine.calls import CallNode
from agentflow.runtime.machine.control import (
    Handler,
    LoopNode,
    RaiseNode,
    ReturnNode,
    SetNode,
    StateNode,
    StatesNode,
    SwitchNode,
    TryNode,
)
from agentflow.runtime.machine.frames import Node
from agentflow.runtime.machine.lanes import StageNode
from agentflow.runtime.machine.mapping import MapNode
from agentflow.runtime.machine.parallel import ForkNode
from agentflow.runtime.machine.pipeline import PipelineNode
from agentflow.runtime.machine.reduce import ReduceNode
from agentflow.runtime.machine.saga import SagaNode
from agentflow.runtime.machine.times import Policy
from agentflow.runtime.machine.waiting import EmitNode, ListenNode, RunNode, WaitNode
from agentflow.spec import model
from agentflow.spec.expressions import Scope, compile_expression, compile_template

Evaluator = Callable[[Scope], Json]


@dataclass(frozen=True, slots=True)
class Program:
    """What a `Machine` interprets."""

    name: str
    version: str
    block: BlockNode
    output: Evaluator | None
    timeout: Evaluator | None
    concurrency: int | None


def compile_workflow(workflow: model.Workflow) -> Program:
    """Compile a checked workflow."""
    compiler = _Compiler(workflow)
    return Program(
        workflow.name,
        workflow.version,
        compiler.block(workflow.do),
        compile_template(workflow.output) if workflow.has_output else None,
        _optional(workflow.timeout),
        workflow.concurrency,
    )


class _Compiler:
    """Carries the workflow's defaults down the tree."""

    def __init__(self, workflow: model.Workflow) -> None:
        self._retry = workflow.retry
        self._timeout = workflow.call_timeout

    def block(self, block: model.Block) -> BlockNode:
        return BlockNode(tuple((step.id, self.step(step)) for step in block.steps))

    def step(self, step: model.Step) -> Node:
        """The step's action, wrapped from the inside out: attempts, handlers, condition."""
        node = self._attempts(step)
        if step.catch:
            node = TryNode(node, self._handlers(step.catch), None)
        if step.when is not None:
            node = ConditionNode(compile_expression(step.when), node)
        return node

    def _attempts(self, step: model.Step) -> Node:
        """Calls, also those of a map, make their attempts themselves; other steps are guarded."""
        action = step.action
        match action:
            case model.Call():
                return self.call(action, step.retry, step.timeout, step.id)
            case model.Map(body=model.Call()):
                return self.map(action, step.retry, step.timeout, step.id)
        node = self.action(action, step.id)
        if step.retry is None and step.timeout is None:
            return node
        policy = None if step.retry is None else Policy(step.retry)
        return GuardNode(node, _optional(step.timeout), policy)

    def action(self, action: model.Action, id: str) -> Node:
        match action:
            case model.Call():
                return self.call(action, None, None, id)
            case model.Set():
                names = ((name, compile_template(value)) for name, value in action.names.items())
                return SetNode(tuple(names))
            case model.Switch():
                cases = ((compile_expression(c.when), self.block(c.do)) for c in action.cases)
                return SwitchNode(tuple(cases), self._maybe_block(action.otherwise))
            case model.Fork():
                branches = ((name, self.block(block)) for name, block in action.branches.items())
                return ForkNode(tuple(branches), action.join)
            case model.Map():
                return self.map(action, None, None, id)
            case model.Loop():
                return self.loop(action)
            case model.Try():
                return TryNode(
                    self.block(action.do),
                    self._handlers(action.catch),
                    self._maybe_block(action.final),
                )
            case model.Saga():
                return SagaNode(self.block(action.do))
            case model.Pipeline():
                return self.pipeline(action, id)
            case model.States():
                states = {name: self._state(state) for name, state in action.states.items()}
                return StatesNode(action.start, states, action.max)
            case model.Wait():
                return WaitNode(compile_template(action.until))
            case model.Listen():
                return ListenNode(
                    action.name,
                    compile_template(action.correlation),
                    action.form,
                    compile_template(action.prompt),
                )
            case model.Emit():
                return EmitNode(
                    compile_template(action.type),
                    compile_template(action.data),
                    compile_template(action.source),
                    compile_template(action.subject),
                )
            case model.Run():
                return RunNode(action.workflow, compile_template(action.input))
            case model.Raise():
                return RaiseNode(compile_template(action.error))
            case model.Return():
                return ReturnNode(compile_template(action.value))
            case _:
                assert_never(action)

    def call(
        self,
        call: model.Call | model.Reduce | model.Compensation,
        retry: model.Retry | None,
        timeout: model.Duration | None,
        id: str,
    ) -> CallNode:
        """A call, with the workflow's defaults where it states nothing itself."""
        retry = retry or self._retry
        timeout = self._timeout if timeout is None else timeout
        compensate = call.compensate if isinstance(call, model.Call) else None
        return CallNode(
            call.function,
            compile_template(call.arguments),
            None if retry is None else Policy(retry),
            _optional(timeout),
            call.resources if isinstance(call, model.Call) else None,
            None
            if compensate is None
            else self.call(compensate, compensate.retry, compensate.timeout, id),
            id,
            at_most_once=isinstance(call, model.Call) and call.at_most_once,
            key=None if call.key is None else compile_template(call.key),
        )

    def map(
        self,
        action: model.Map,
        retry: model.Retry | None,
        timeout: model.Duration | None,
        id: str,
    ) -> MapNode:
        return MapNode(
            compile_template(action.items),
            self.call(action.body, retry, timeout, id)
            if isinstance(action.body, model.Call)
            else self.block(action.body),
            action.bind,
            action.index,
            action.concurrency,
            action.batch,
            action.tolerate,
            self._reduce(action.reduce, id),
        )

    def _reduce(self, reduce: model.Reduce | None, id: str) -> ReduceNode | None:
        if reduce is None:
            return None
        return ReduceNode(self.call(reduce, reduce.retry, reduce.timeout, id), reduce.arity)

    def loop(self, action: model.Loop) -> LoopNode:
        return LoopNode(
            self.block(action.do),
            None if action.condition is None else compile_expression(action.condition),
            action.until,
            None if action.condition is not None else compile_template(action.items),
            action.bind,
            action.index,
            action.max,
        )

    def pipeline(self, action: model.Pipeline, id: str) -> PipelineNode:
        source = action.source
        return PipelineNode(
            self.call(source, None, None, "from")
            if isinstance(source, model.Call)
            else compile_template(source),
            tuple(self._stage(stage) for stage in action.stages),
            action.bind,
            action.buffer,
            self._reduce(action.reduce, id),
        )

    def _stage(self, stage: model.Stage) -> StageNode:
        if isinstance(stage.body, model.Call):
            body: Node = self.call(stage.body, stage.retry, stage.timeout, stage.id)
        else:
            body = self.block(stage.body)
            if stage.retry is not None or stage.timeout is not None:
                policy = None if stage.retry is None else Policy(stage.retry)
                body = GuardNode(body, _optional(stage.timeout), policy)
        return StageNode(stage.id, body, stage.concurrency)

    def _state(self, state: model.State) -> StateNode:
        transitions = (
            (None if t.when is None else compile_expression(t.when), t.to) for t in state.next
        )
        return StateNode(self.block(state.do), tuple(transitions))

    def _handlers(self, catches: tuple[model.Catch, ...]) -> tuple[Handler, ...]:
        return tuple(Handler(c.on, c.bind, self.block(c.do)) for c in catches)

    def _maybe_block(self, block: model.Block | None) -> BlockNode | None:
        return None if block is None else self.block(block)


def _optional(duration: model.Duration | None) -> Evaluator | None:
    return None if duration is None else compile_template(duration)
