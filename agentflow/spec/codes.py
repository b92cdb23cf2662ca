"""What each code of a diagnostic means, what causes it, and what to do: one entry a code.

AF1xx: the text and its shape. AF2xx: expressions. AF3xx: names and flow. AF4xx: functions and
children. AF5xx: workflows in Python. AF6xx: other engines. The page
docs/reference/diagnostics.md is written from this table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of mistake."""

    title: str
    cause: str
    fix: str


CODES: dict[str, Code] = {
    "AF101": Code(
        "Not YAML or JSON",
        "The parser cannot read on: a bracket or quote is not closed, the indentation jumps, or "
        "an expression with `{`, `: ` or ` #` in it stands without quotes.",
        'Close it, indent with spaces, or put the expression in quotes: `"${ … }"`.',
    ),
    "AF102": Code(
        "Not text",
        "The file is binary, is not UTF-8, or holds a control character or half a surrogate pair.",
        "Save it as UTF-8; write special characters as escapes in double quotes.",
    ),
    "AF103": Code(
        "File cannot be read",
        "There is no such file, it is a folder, or it may not be read.",
        "Check the path; it is relative to the working folder.",
    ),
    "AF104": Code(
        "Too large",
        "A spec has at most 1 MiB, 20,000 values, 64 levels of nesting and 50 aliases (an alias "
        "counts as what it stands for); children run children at most 16 levels deep.",
        "Move parts to workflows of their own and `run` them; pass large data as input.",
    ),
    "AF105": Code(
        "Duplicate key",
        "An object has the same key twice; YAML parsers silently take the last.",
        "Keep one of the two.",
    ),
    "AF106": Code(
        "Key is not text",
        "A key is a number, a boolean, null, a list or an object.",
        'Write it in quotes: `"1": …`.',
    ),
    "AF107": Code(
        "Tag",
        "`!name` and `!!type` have no meaning here.",
        "Remove the tag; quotes make a value text.",
    ),
    "AF108": Code(
        "Merge key",
        "`<<` is not part of YAML 1.2 and hides where a value comes from.",
        "Write the keys out, or set `defaults` at the top.",
    ),
    "AF109": Code(
        "Second document",
        "A line `---` begins a second document.",
        "Move it to a file of its own.",
    ),
    "AF110": Code(
        "Alias without anchor",
        "`*name` has no `&name` before it, or stands inside of it.",
        "Define the anchor first, or write the part out.",
    ),
    "AF111": Code(
        "Number out of range",
        "Integers go to ±(2^53-1), other numbers are finite: every engine keeps those exactly.",
        "Write the value in quotes and treat it as text.",
    ),
    "AF112": Code("Empty file", "The file holds nothing but blanks and comments.", "Write a spec."),
    "AF120": Code(
        "Unknown field",
        "The object has no field of this name.",
        "Correct the spelling; the message names the nearest field, or all of them.",
    ),
    "AF121": Code(
        "Missing field",
        "A required field, or one of a group of fields, is not there.",
        "Add it.",
    ),
    "AF122": Code(
        "Wrong kind of value",
        "For instance a list where an object is needed, or a number where text is: `version: 1.0`.",
        'Give a value of the kind that the message names; quotes make text: `version: "1.0"`.',
    ),
    "AF123": Code(
        "No verb",
        "The step does not say what it does.",
        "Add one verb: `call`, `set`, `switch`, `map`, …",
    ),
    "AF124": Code(
        "Two verbs",
        "A step does one thing. Only `map` has `call` beside it.",
        "Make two steps of it.",
    ),
    "AF125": Code(
        "Not a duration",
        "A duration is a number of seconds, or text with units in falling order.",
        "Write `500ms`, `30s`, `1h30m`, `2d` or `PT5M`; `wait` also takes an RFC 3339 time.",
    ),
    "AF126": Code(
        "Value not allowed",
        "A number is too small or too large, or a word is none of those that are possible.",
        "Use one of the values that the message names.",
    ),
    "AF127": Code(
        "Not a name",
        "Names have letters, digits and `_`, do not begin with a digit, and are no words of the "
        "expression language.",
        "Rename it; the message shows a name that would do.",
    ),
    "AF129": Code(
        "Field in the wrong place",
        "The field exists but not here: `catch` beside `try`, `batch` with `do`, `compensate` "
        "outside of a saga, two fields that exclude each other.",
        "Move or remove it as the message says.",
    ),
    "AF130": Code(
        "Empty",
        "A block without steps, a fork without branches or a list that needs an entry.",
        "Add an entry or remove the field.",
    ),
    "AF131": Code(
        "Not a JSON Schema",
        "`input` or `form` does not follow JSON Schema, draft 2020-12.",
        "Correct the keyword at the place shown.",
    ),
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
    "AF301": Code(
        "Name not defined",
        "No step, `set`, `as` or `index` binds this name anywhere before.",
        "Correct the spelling, or bind the name.",
    ),
    "AF302": Code(
        "Out of scope",
        "The name belongs to a block that this place is not in.",
        "Read the result of the step around that block, or `set` the name outside.",
    ),
    "AF303": Code(
        "Not bound yet",
        "The step that binds the name comes later, or is still under way.",
        "Move that step before this one.",
    ),
    "AF304": Code(
        "Hidden name",
        "A new id, `as` or `index` has the name of something that can be read here.",
        "Choose another name.",
    ),
    "AF305": Code(
        "Duplicate id",
        "Two steps inside one step (or one branch, or one state) have the same id.",
        "Rename one of the two.",
    ),
    "AF306": Code(
        "Set across a parallel boundary",
        "Branches, items and stages run side by side: they read outer names, never write them.",
        "Give the value back as a result: `return` it.",
    ),
    "AF307": Code(
        "Not a variable",
        "Results, items, errors, `input` and `execution` never change.",
        "`set` another name.",
    ),
    "AF308": Code(
        "Unreachable",
        "What stands before it always leaves: by `return`, `raise` or a transition without `when`.",
        "Remove it, or put a condition on what stands before it.",
    ),
    "AF309": Code(
        "No such state",
        "`start` or `to` names a state that is not among `states`.",
        "Correct the name, or add the state.",
    ),
    "AF310": Code(
        "State never entered",
        "No way from `start` leads to the state.",
        "Let a `next` name it, or remove it.",
    ),
    "AF311": Code(
        "Nowhere to go",
        "All transitions of the state have a `when`; none may hold.",
        "End `next` with an entry that has only `to`.",
    ),
    "AF401": Code(
        "Module not found",
        "Neither the project nor the installed packages have the module.",
        "Correct the path; it begins at the project's root.",
    ),
    "AF402": Code(
        "Function not found",
        "The module has no function of this name.",
        "Correct the name.",
    ),
    "AF403": Code(
        "Unknown argument",
        "The function has no parameter of this name.",
        "Correct the name under `with`.",
    ),
    "AF404": Code(
        "Missing argument",
        "The function has a parameter without default that `with` does not give.",
        "Add it under `with`.",
    ),
    "AF405": Code(
        "Python module does not parse",
        "The source of the function's module has a syntax error.",
        "Correct the Python source.",
    ),
    "AF406": Code(
        "Not an import path",
        "A function is named by its import path, or by a short name from `functions`.",
        "Write it like `functions.text.count_words`.",
    ),
    "AF407": Code(
        "Agent not found",
        "No class of the project is marked `@agent` with this name.",
        "Correct the name; `agentflow agents` lists them.",
    ),
    "AF408": Code(
        "Ambiguous agent",
        "Two classes of the project are agents of the same name.",
        "Rename one of them: `@agent(name=…)`.",
    ),
    "AF409": Code(
        "Agent with a mistake",
        "An option of `@agent` is unknown, has no such value or is not written out, or the class "
        "has only one of `snapshot` and `restore`.",
        "Correct the class at the place shown.",
    ),
    "AF410": Code(
        "Method not found",
        "The agent has no method of this name, or several and the call does not say which.",
        "Name one: `agent:NAME.METHOD`.",
    ),
    "AF411": Code(
        "Workflow not found",
        "`run` names no file and no workflow in the same folder.",
        "Correct the name or path; paths are relative to the file.",
    ),
    "AF412": Code(
        "Recursion",
        "A workflow runs itself, perhaps through others.",
        "Repeat with `loop` or `states`.",
    ),
    "AF413": Code(
        "Ambiguous workflow",
        "Two files in the folder have the name.",
        "Name the file.",
    ),
    "AF414": Code(
        "Child's input",
        "The child's schema requires an input that is not given, or refuses one that is.",
        "Correct `with`.",
    ),
    "AF501": Code(
        "Not in the Python subset",
        "A function with `@workflow` is compiled from its source; this part of Python has no "
        "meaning in a workflow.",
        "Write it as the message says, or make it a function and call that.",
    ),
    "AF502": Code(
        "No such workflow in Python",
        "The file or module has no function of this name with `@workflow`, or the function has no "
        "source to compile: it was typed in, is nested, or is a method.",
        "Define it at the top of a module, with `@workflow`; programs use `agentflow.Builder`.",
    ),
    "AF503": Code(
        "Call in the wrong place",
        "A call in a condition, in `and`, `or`, `if … else …` or in a comprehension's `if` would "
        "be made only sometimes, or many times.",
        "Bind its result to a name first.",
    ),
    "AF504": Code(
        "Not a function that a step can call",
        "What is called is a class, a value, or in a module that workers cannot import.",
        "Call a function at the top of a module of the project, or of an installed package.",
    ),
    "AF505": Code(
        "Helper or decorator used wrongly",
        "`@workflow` and the helpers of `agentflow` take what their reference says; what the "
        "compiler reads must be written out.",
        "Correct the argument at the caret.",
    ),
    "AF506": Code(
        "May not be bound",
        "On some way through the function the name has no value yet where it is read.",
        "Bind it before, or on every way.",
    ),
    "AF600": Code(
        "Not for this target",
        "The workflow cannot be compiled for the engine; each reason has a code of its own.",
        "Correct what the other diagnostics name.",
    ),
    "AF601": Code(
        "Step that the target does not have",
        "The engine that is compiled for has no such step, and nothing that could replace it.",
        "Do what the help says, or run this workflow on Ray.",
    ),
    "AF602": Code(
        "Setting that the target does not have",
        "The step can be expressed, but not with this field or this value of it.",
        "Leave the field out, or change it as the help says.",
    ),
    "AF603": Code(
        "More than the target allows",
        "The definition, a wait, or a number in it is above a limit of the service.",
        "Divide the workflow with `run`, or make the number smaller.",
    ),
    "AF604": Code(
        "Not offered by this kind of workflow service",
        "Express workflows of AWS have no callbacks, children or distributed maps.",
        "Compile for the standard kind.",
    ),
    "AF605": Code(
        "Function that cannot be bundled",
        "Its module does not parse, or imports something that would not be in the bundle.",
        "Correct the module, or name the package in the project's requirements.",
    ),
    "AF606": Code(
        "Bundle that cannot be made",
        "A dependency has no wheel for the platform, or the bundle is above the service's limits.",
        "Choose another version or platform, or leave what is large out.",
    ),
    "AF611": Code(
        "State that cannot be imported",
        "A state machine of AWS uses something that has no equal here.",
        "Do what the help says; `agentflow run FILE --from aws` runs it as it is.",
    ),
}


def markdown() -> str:
    """The page docs/reference/diagnostics.md."""
    out = [
        "# Diagnostics",
        "",
        "Every mistake in a spec has a code, a place and a remedy.",
        "`agentflow validate` reports all of them at once.",
    ]
    for code, entry in CODES.items():
        out += ["", f"## {code}: {entry.title}", "", entry.cause, "", f"**Do:** {entry.fix}"]
    return "\n".join(out) + "\n"
