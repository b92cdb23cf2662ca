"""AF1xx: a spec as text: what cannot be read, and fields that no step has."""

from __future__ import annotations

from agentflow.spec.codes.code import Code

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
        "For instance a list where an object is needed, or a number where text is: `version: 1.0`; "
        "or a file of another kind: a state machine without `--from aws`, a workflow with it.",
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
}
