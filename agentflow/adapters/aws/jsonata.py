"""JSONata as text: literals, names, and the small functions that give it our meaning.

`LAMBDAS` holds functions written in JSONata. An expression that needs some of them carries exactly
those in front: variables of Step Functions hold JSON only, so a function cannot be kept in one.

What they avoid, because JSONata and its engines differ there: undefined values, sequences that
collapse to their only item or to nothing, list displays that swallow a level of lists, and
conditions that are not booleans. A fault is raised by `$error` with its name between `<<` and
`>>`, which `faults.DECODE` reads back from the cause that Step Functions reports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from agentflow.errors import MAX_INTEGER, Json

_BUILT_IN = frozenset(
    ["abs", "append", "assert", "average", "base64decode", "base64encode", "boolean", "ceil", "clone", "contains", "count", "decodeUrl", "decodeUrlComponent", "distinct", "each", "encodeUrl", "encodeUrlComponent", "error", "eval", "exists", "filter", "floor", "formatBase", "formatInteger", "formatNumber", "fromMillis", "hash", "join", "keys", "length", "lookup", "lowercase", "map", "match", "max", "merge", "millis", "min", "not", "now", "number", "pad", "parse", "parseInteger", "partition", "power", "random", "range", "reduce", "replace", "reverse", "round", "shuffle", "sift", "single", "sort", "split", "spread", "sqrt", "states", "string", "substring", "substringAfter", "substringBefore", "sum", "toMillis", "trim", "type", "typeOf", "uppercase", "uuid", "zip"]
)
"""JSONata's functions, those Step Functions adds, and `states`."""

_MAX = str(MAX_INTEGER)

LAMBDAS: dict[str, str] = {
    "fail": "function($name, $message) { $error('<<' & $name & '>> ' & $message) }",
    "kind": "function($v) { $type($v) = 'array' ? 'list' : $type($v) }",
    "mismatch": "function($needs, $v) { $fail('TypeMismatch', $needs & ' is needed, got ' & "
    "$kind($v)) }",
    # --- types: each gives its argument back, or fails
    "flag": "function($v) { $type($v) = 'boolean' ? $v : $mismatch('a boolean', $v) }",
    "num": "function($v) { $type($v) = 'number' ? $v : $mismatch('a number', $v) }",
    "int": "function($v) { $type($v) != 'number' ? $mismatch('an integer', $v) : "
    "$floor($v) = $v ? $v : $mismatch('an integer', $v) }",
    "text": "function($v) { $type($v) = 'string' ? $v : $mismatch('a string', $v) }",
    "list": "function($v) { $type($v) = 'array' ? $v : $mismatch('a list', $v) }",
    "object": "function($v) { $type($v) = 'object' ? $v : $mismatch('an object', $v) }",
    "items": "function($v, $kinds) { $reduce($list($v), function($ok, $x) { $ok ? "
    "$type($x) = $kinds : false }, true) ? $v : $mismatch('a list of ' & $kinds & 's', $v) }",
    "measurable": "function($v) { $type($v) in ['string', 'array', 'object'] ? $v : "
    "$mismatch('a string, list or object', $v) }",
    # --- lists that keep their shape
    "box": "function($v) { $type($v) = 'array' ? [[$v]] : [$v] }",
    "collect": "function($xs, $f) { $count($xs) = 0 ? [] : $count($xs) = 1 ? $box($f($xs[0])) : "
    "$map($xs, $f) }",
    "select": "function($xs, $f) { $collect($append([], $filter($append([], $map($xs, "
    "function($x) { {'v': $x} })), function($x) { $f($x.v) })), function($x) { $x.v }) }",
    "joined": "function($lists) { $reduce($lists, function($all, $xs) { $append($all, $xs) }, []) }",
    "unpack": "function($v, $n) { $type($v) != 'array' ? $mismatch('a list to take apart', $v) : "
    "$count($v) = $n ? $v : $mismatch('a list of ' & $n & ' items', $v) }",
    # --- numbers
    "whole": f"function($x) {{ $abs($x) <= {_MAX} and $floor($x) = $x }}",
    "exact": f"function($x) {{ $type($x) != 'number' ? $fail('NumberOutOfRange', 'the result is "
    f"too large for a number') : $abs($x) > {_MAX} ? $fail('NumberOutOfRange', 'the result is "
    f"beyond 2^53-1, where integers are exact') : $x }}",
    "ranged": "function($x, $a, $b) { $type($x) != 'number' ? $exact($x) : "
    "$whole($a) and $whole($b) ? $exact($x) : $x }",
    "plus": "function($a, $b) { $ranged($num($a) + $num($b), $a, $b) }",
    "minus": "function($a, $b) { $ranged($num($a) - $num($b), $a, $b) }",
    "times": "function($a, $b) { $ranged($num($a) * $num($b), $a, $b) }",
    "divisor": "function($v) { $num($v) = 0 ? $fail('DivisionByZero', 'a division by zero') : $v }",
    "over": "function($a, $b) { ($x := $num($a) / $divisor($b); $type($x) = 'number' ? $x : "
    "$exact($x)) }",
    "remainder": "function($a, $b) { ($m := $num($a) % $divisor($b); "
    "$m != 0 and ($m < 0) != ($b < 0) ? $m + $b : $m) }",
    "quotient": "function($a, $b) { ($m := $remainder($a, $b); $q := ($a - $m) / $b; "
    "$f := $floor($q); $ranged($q - $f > 0.5 ? $f + 1 : $f, $a, $b)) }",
    "add": "function($a, $b) { $type($a) = 'number' ? $plus($a, $b) : "
    "$type($a) = 'string' ? $a & $text($b) : $append($list($a), $list($b)) }",
    # --- comparing
    "equal": "function($a, $b) { $type($a) != $type($b) ? false : "
    "$type($a) = 'array' ? ($count($a) = $count($b) ? $reduce([0..$count($a) - 1], "
    "function($ok, $i) { $ok ? $equal($a[$i], $b[$i]) : false }, true) : false) : "
    "$type($a) = 'object' ? ($count($keys($a)) = $count($keys($b)) ? "
    "$reduce($append([], $keys($a)), function($ok, $k) { $ok ? ($exists($lookup($b, $k)) ? "
    "$equal($lookup($a, $k), $lookup($b, $k)) : false) : false }, true) : false) : $a = $b }",
    "compare": "function($a, $b) { ($type($a) = 'number' ? $num($b) : $text($a) & $text($b); "
    "$a < $b ? -1 : $a > $b ? 1 : 0) }",
    "holds": "function($xs, $v) { $reduce($xs, function($found, $x) { $found ? true : "
    "$equal($x, $v) }, false) }",
    "contained": "function($v, $all) { $type($all) = 'array' ? $holds($all, $v) : "
    "$type($all) = 'object' ? $exists($lookup($all, $text($v))) : $contains($text($all), $text($v)) }",
    # --- reading
    "at": "function($o, $k) { $exists($lookup($object($o), $k)) ? $lookup($o, $k) : "
    "$fail('MissingKey', 'there is no key ' & $k) }",
    "size": "function($v) { $type($v) = 'string' ? $length($v) : $type($v) = 'array' ? $count($v) : "
    "$count($keys($v)) }",
    "item": "function($v, $i) { $type($v) = 'object' ? $at($v, $text($i)) : "
    "($type($v) in ['array', 'string'] ? $int($i) : $mismatch('a list, object or string', $v); "
    "$n := $size($v); $i < -$n or $i >= $n ? $fail('IndexOutOfRange', 'there is no index ' & $i & "
    "' in ' & $n) : $type($v) = 'array' ? $v[$i] : $substring($v, $i < 0 ? $n + $i : $i, 1)) }",
    "bound": "function($i, $n) { $int($i) < 0 ? ($n + $i < 0 ? 0 : $n + $i) : $i > $n ? $n : $i }",
    "slice": "function($v, $from, $to) { ($type($v) in ['array', 'string'] ? true : "
    "$mismatch('a list or string', $v); $n := $size($v); $low := $bound($from, $n); "
    "$high := $type($to) = 'null' ? $n : $bound($to, $n); "
    "$type($v) = 'string' ? ($high > $low ? $substring($v, $low, $high - $low) : '') : "
    "$high <= $low ? [] : $high = $low + 1 ? $box($v[$low]) : "
    "$filter($v, function($x, $i) { $i >= $low and $i < $high })) }",
    "keyed": "function($pairs) { $merge($append([], $pairs)) }",
    # --- steps
    "limited": "function($xs, $max) { $count($xs) > $max ? $fail('LoopLimit', $count($xs) & "
    "' items are more than max: ' & $max) : $xs }",
    "raised": "function($e) { $type($e) = 'object' and $type($e.name) = 'string' ? "
    "{'name': $e.name, 'message': $type($e.message) = 'string' ? $e.message : '', "
    "'data': $exists($e.data) ? $e.data : null, 'cause': $exists($e.cause) ? $e.cause : null} : "
    "$mismatch('an object with a name', $e) }",
    "naming": "function($v) { $text($v) = '' ? $mismatch('a text as type', $v) : $v }",
    "timely": "function($outcomes) { $sort($outcomes, function($l, $r) { $l.at > $r.at or "
    "($l.at = $r.at and $l.place > $r.place) }) }",
    "having": "function($outcomes, $key) { $append([], $filter($outcomes, function($o) { "
    "$exists($lookup($o, $key)) })) }",
    # --- the library
    "extreme": "function($v, $largest) { ($type($v) = 'array' ? true : "
    "$mismatch('numbers or strings', $v); $count($v) = 0 ? "
    "$fail('InvalidInput', 'an extreme of an empty list') : $type($v[0]) = 'number' ? "
    "$items($v, 'number') : $items($v, 'string'); "
    "$reduce($v, function($m, $x) { ($largest ? $x > $m : $x < $m) ? $x : $m })) }",
    "truncate": "function($x) { $exact($x < 0 ? $ceil($x) : $floor($x)) }",
    "integer": "function($v) { $type($v) = 'number' ? $truncate($v) : "
    "$contains($text($v), /^[+-]?[0-9]+$/) and $length($v) <= 400 and "
    "$contains($v, '\\n') = false ? ($length($v) > 300 ? $fail('NumberOutOfRange', "
    "'too many digits') : $exact($number($substring($v, 0, 1) = '+' ? $substring($v, 1) : $v))) : "
    "$fail('InvalidInput', 'an integer is digits, perhaps after a sign') }",
    "root": "function($x) { $x < 0 ? $fail('NumberOutOfRange', 'a negative number has no square "
    "root') : $sqrt($x) }",
    "total": "function($xs) { $reduce($items($xs, 'number'), function($a, $b) { $plus($a, $b) }, 0) }",
    "every": "function($xs) { $reduce($items($xs, 'boolean'), function($a, $b) { $a and $b }, true) }",
    "some": "function($xs) { $reduce($items($xs, 'boolean'), function($a, $b) { $a or $b }, false) }",
    "known": "function($v, $what) { $v = '' ? $fail('InvalidInput', $what & ' is an empty string') "
    ": $v }",
    "filling": "function($v) { $length($v) = 1 ? $v : $fail('InvalidInput', 'fill is one "
    "character') }",
    "words": "function($s) { $append([], $filter($split($s, /[ \\t\\n\\r\\x0B\\f]+/), "
    "function($w) { $w != '' })) }",
    "lines": "function($s) { ($all := $split($s, /\\r\\n|\\n|\\r/); $n := $count($all); "
    "$all[$n - 1] = '' ? $append([], $filter($all, function($x, $i) { $i < $n - 1 })) : $all) }",
    "starts": "function($s, $p) { $substring($s, 0, $length($p)) = $p }",
    "ends": "function($s, $p) { $length($s) >= $length($p) ? "
    "$substring($s, $length($s) - $length($p)) = $p : false }",
    "without_prefix": "function($s, $p) { $starts($s, $p) ? $substring($s, $length($p)) : $s }",
    "without_suffix": "function($s, $p) { $ends($s, $p) ? "
    "$substring($s, 0, $length($s) - $length($p)) : $s }",
    "found": "function($s, $p) { $contains($s, $p) ? $length($substringBefore($s, $p)) : -1 }",
    "filled": "function($s, $width, $fill, $left) { $width <= $length($s) ? $s : "
    "$pad($s, $left ? -$width : $width, $filling($fill)) }",
    "padded": "function($s, $width, $fill, $left) { $filled($s, $width, $filling($fill), $left) }",
    "zeros": "function($s, $width) { $width <= $length($s) ? $s : "
    "$substring($s, 0, 1) in ['+', '-'] ? $substring($s, 0, 1) & "
    "$pad($substring($s, 1), 1 - $width, '0') : $pad($s, -$width, '0') }",
    "progression": "function($start, $stop, $step) { $step = 0 ? $fail('InvalidInput', 'a range "
    "with step 0') : ($n := $ceil(($stop - $start) / $step); $n > 1000000 ? "
    "$fail('LimitExceeded', 'a list of more than 1000000 items') : "
    "$append([], $map([0..$n - 1], function($i) { $start + $i * $step }))) }",
    "ordered": "function($xs) { ($count($xs) = 0 ? true : $type($xs[0]) = 'number' ? "
    "$items($xs, 'number') : $items($xs, 'string'); $sort($xs)) }",
    "ordered_by": "function($xs, $k) { ($keys_ := $collect($items($xs, 'object'), "
    "function($x) { $at($x, $k) }); $ordered($keys_); "
    "$collect($sort($append([], $map($xs, function($x, $i) { {'v': $x, 'i': $i} })), "
    "function($l, $r) { $lookup($l.v, $k) > $lookup($r.v, $k) or "
    "($lookup($l.v, $k) = $lookup($r.v, $k) and $l.i > $r.i) }), function($x) { $x.v })) }",
    "unique": "function($xs) { $reduce($xs, function($seen, $x) { $holds($seen, $x) ? $seen : "
    "$append($seen, $box($x)) }, []) }",
    "chunks": "function($xs, $size) { $size < 1 ? $fail('InvalidInput', 'size is at least 1') : "
    "$collect([0..$ceil($count($xs) / $size) - 1], function($i) { "
    "$slice($xs, $i * $size, ($i + 1) * $size) }) }",
    "rows": "function($lists) { $collect([0..$min($map($lists, function($l) { $count($l) })) - 1], "
    "function($i) { $reduce($lists, function($row, $l) { $append($row, $box($l[$i])) }, []) }) }",
    "numbered": "function($xs, $start) { $collect([0..$count($xs) - 1], function($i) { "
    "$append([$start + $i], $box($xs[$i])) }) }",
    "position": "function($xs, $v) { ($hits := $append([], $filter([0..$count($xs) - 1], "
    "function($i) { $equal($xs[$i], $v) })); $count($hits) = 0 ? "
    "$fail('InvalidInput', 'the list has no such item') : $hits[0]) }",
    "occurrences": "function($v, $x) { $type($v) = 'array' ? "
    "$count($filter([0..$count($v) - 1], function($i) { $equal($v[$i], $x) })) : "
    "$count($split($text($v), $known($text($x), 'part'))) - 1 }",
    "grouped": "function($xs, $k) { ($names := $distinct($append([], $map($items($xs, 'object'), "
    "function($x) { $text($at($x, $k)) }))); $keyed($map($names, function($name) { "
    "{$name: $select($xs, function($x) { $lookup($x, $k) = $name })} }))) }",
    "picked": "function($o, $names) { $keyed($map($filter($names, function($k) { "
    "$exists($lookup($o, $k)) }), function($k) { {$k: $lookup($o, $k)} })) }",
    "omitted": "function($o, $names) { $picked($o, $append([], $filter($append([], $keys($o)), "
    "function($k) { ($k in $names) = false }))) }",
    "got": "function($o, $k, $default) { $exists($lookup($o, $k)) ? $lookup($o, $k) : $default }",
    "entries": "function($o) { $collect($append([], $keys($o)), function($k) { "
    "$append([$k], $box($lookup($o, $k))) }) }",
    "contents": "function($o) { $collect($append([], $keys($o)), function($k) { $lookup($o, $k) }) }",
    "or_else": "function($a, $b) { $type($a) = 'null' ? $b : $a }",
    "escaped": "function($s) { $reduce(['!', \"'\", '(', ')', '*'], function($t, $c) { "
    "$join($split($t, $c), '%' & $lookup({'!': '21', \"'\": '27', '(': '28', ')': '29', "
    "'*': '2A'}, $c)) }, $encodeUrlComponent($s)) }",
    "seconds": "function($v) { ($s := $type($v) = 'number' ? $v : ("
    "$t := $match($text($v), /^(?:([0-9]+(?:\\.[0-9]+)?)d)?(?:([0-9]+(?:\\.[0-9]+)?)h)?(?:([0-9]+(?:\\.[0-9]+)?)m(?!s))?"
    "(?:([0-9]+(?:\\.[0-9]+)?)s)?(?:([0-9]+(?:\\.[0-9]+)?)ms)?$/); "
    "$u := $match($v, /^P(?:([0-9]+(?:\\.[0-9]+)?)W)?(?:([0-9]+(?:\\.[0-9]+)?)D)?(?:T(?:([0-9]+(?:\\.[0-9]+)?)H)?(?:([0-9]+(?:\\.[0-9]+)?)M)?"
    "(?:([0-9]+(?:\\.[0-9]+)?)S)?)?$/); $given := function($x) { $type($x) = 'string' and $x != '' ? "
    "$number($x) : 0 }; $sum_ := function($g, $units) { $sum($map($units, function($n, $i) { "
    "$n * $given($g[$i]) })) }; $v in ['', 'P', 'PT'] ? $mismatch('a duration', $v) : "
    "$exists($t) ? $sum_($t.groups, [86400, 3600, 60, 1, 0.001]) : "
    "$exists($u) ? $sum_($u.groups, [604800, 86400, 3600, 60, 1]) : $mismatch('a duration', $v)); "
    "$s < 0 or $s > 316224000 ? $fail('NumberOutOfRange', 'a duration is within ten years') : $s) }",
    "delay": "function($v) { $type($v) = 'string' ? ("
    "$contains($v, /^[0-9]{4}-[0-9]{2}-[0-9]{2}T/) ? "
    "$max([0, ($toMillis($v) - $millis()) / 1000]) : $seconds($v)) : $seconds($v) }",
}
"""Functions in JSONata, by name; each may call the others."""

RESERVED = _BUILT_IN | LAMBDAS.keys()

_REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


def variable(name: str) -> str:
    """The name that a name of the workflow has in JSONata: never that of a function.

    A name that ends with `_` gets another one, so that no two names become the same, and names
    that end with exactly one `_` are free for what is generated.
    """
    return f"{name}_" if name in RESERVED or name.endswith("_") else name


def quote(text: str) -> str:
    """A string literal. JSONata has no escape for the apostrophe, hence `\\u0027`."""
    body = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\u0027")
    return "'" + body.replace("%}", "\\u0025}") + "'"


def literal(value: Json) -> str:
    """A JSON value as JSONata."""
    match value:
        case str():
            return quote(value)
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{quote(k)}: {literal(v)}" for k, v in value.items()) + "}"
        case _:
            return json.dumps(value)


def used(text: str) -> list[str]:
    """The lambdas that a text needs, those they need included, in the order of `LAMBDAS`."""
    found: set[str] = set()
    pending = [text]
    while pending:
        for name in _REFERENCE.findall(pending.pop()):
            if name in LAMBDAS and name not in found:
                found.add(name)
                pending.append(LAMBDAS[name])
    return [name for name in LAMBDAS if name in found]


def complete(text: str) -> str:
    """The text with the lambdas it needs in front of it."""
    return _block(text, used(text))


def can_fail(texts: Iterable[str]) -> bool:
    """Whether evaluating one of these texts may raise a fault."""
    return any("fail" in used(text) for text in texts)


def _block(text: str, names: list[str]) -> str:
    if not names:
        return text
    return "(" + "; ".join([*(f"${name} := {LAMBDAS[name]}" for name in names), text]) + ")"
