// Evaluates expressions with the reference implementation of JSONata, and what AWS adds to it.
//
// stdin: [{text, names}]; stdout: [{value} or {error}], an undefined result being an error.
// Where the package is is said by NODE_PATH.
const { createHash } = require("crypto");
const jsonata = require("jsonata");

function hash(text, algorithm) {
  return createHash(algorithm.replace("-", "").toLowerCase()).update(text, "utf8").digest("hex");
}

function partition(items, size) {
  const parts = [];
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size));
  return parts;
}

function range(first, last, step) {
  const found = [];
  for (let n = first; step > 0 ? n <= last : n >= last; n += step) found.push(n);
  return found;
}

async function evaluate({ text, names }) {
  try {
    const expression = jsonata(text);
    expression.registerFunction("hash", hash, "<ss:s>");
    expression.registerFunction("parse", (given) => JSON.parse(given), "<s:x>");
    expression.registerFunction("partition", partition, "<an:a>");
    expression.registerFunction("range", range, "<nnn:a>");
    const value = await expression.evaluate({ input: null }, names);
    return value === undefined ? { error: "undefined" } : { value };
  } catch (error) {
    return { error: String(error.message || error) };
  }
}

async function main() {
  const rows = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const found = [];
  for (const row of rows) found.push(await evaluate(row));
  process.stdout.write(JSON.stringify(found));
}

main();
