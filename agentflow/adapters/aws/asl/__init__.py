"""The Amazon States Language: reading it, and running it as AWS Step Functions does.

`read.read` gives a frozen `model.Machine`, or every mistake with its place; `simulate.simulate`
runs one to its `Outcome`. `jsonpath`, `intrinsics`, `choice`, `jsonata` and `template` evaluate;
`simulate.machine` is the pure interpreter, `simulate.driver` carries out what it asks for.
"""
