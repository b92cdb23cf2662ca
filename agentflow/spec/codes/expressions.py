"""AF2xx: expressions: how they are written, and what their types rule out."""

from __future__ import annotations

from agentflow.spec.codes.code import Code

CODES: dict[str, Code] = {
    "AF200": Code(
        "Expression not well formed",
        "What stands between `${` and `}` is not an expression.",
        "Correct it at the caret; expressions are written like Python's.",
    ),
    "AF201": Code(
        "Not in the expression language",
        "Python has this, expressions do not: they only compute values.",
        "Write it as the message says, or make it a function.",
    ),
    "AF202": Code(
        "No such function",
        "The library has no function of this name.",
        "See docs/reference/functions.md; a function of your own is called by a `call` step.",
    ),
    "AF203": Code(
        "No such method",
        "No type has a method of this name.",
        "See docs/reference/functions.md.",
    ),
    "AF204": Code(
        "Expression too large",
        "It is too long, too deep or has too many parts.",
        "Bind parts of it to names with `set`, or make it a function.",
    ),
    "AF205": Code(
        "Braces",
        "A `${` has no `}`, or nothing stands between them.",
        "Close it; `$${` gives the characters themselves.",
    ),
    "AF206": Code(
        "Not one expression",
        "A condition (or a timeout, or an error) is exactly one `${…}`, with nothing around it.",
        "Put all of it between one pair of braces: `${ a and b }`.",
    ),
    "AF207": Code(
        "Number in an expression out of range",
        "Integers go to ±(2^53-1), other numbers are finite.",
        "Use a smaller number, or text.",
    ),
    "AF208": Code(
        "Wrong number of arguments",
        "A function or method is given too few or too many arguments.",
        "See docs/reference/functions.md.",
    ),
    "AF220": Code(
        "No such field in the value",
        "The object is known to have no such field, by a schema, a literal or a fork's branches.",
        'Correct the name; for a field that may be missing write `o.get("name", default)`.',
    ),
    "AF221": Code(
        "Operator on the wrong types",
        "No values of these types can be added, compared, …",
        "Convert one side: `str(x)`, `int(x)`, `float(x)`.",
    ),
    "AF222": Code(
        "Not a boolean",
        "Conditions and the operands of `and`, `or`, `not` are booleans only.",
        "Compare: `x != null`, `len(xs) > 0`.",
    ),
    "AF223": Code(
        "Function on the wrong type",
        "The function or method is not for values of this type.",
        "Convert the value first.",
    ),
    "AF224": Code(
        "Index of the wrong type",
        "Lists and texts are indexed by integers, objects by texts.",
        "Use an index of that type.",
    ),
    "AF225": Code("Division by zero", "The divisor is a literal zero.", "Change the divisor."),
    "AF226": Code(
        "Not a list",
        "`map`, `for`, `from` and comprehensions go through lists.",
        "Give a list; the items of an object are `o.items()`.",
    ),
}
