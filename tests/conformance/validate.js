// Validates definitions with AWS's own language service (the one of the VS Code extension).
//
// stdin: {name: definition as text}; stdout: {name: [what is wrong]}.
// Where the packages are is said by NODE_PATH.
const { getLanguageService } = require("amazon-states-language-service");
const { TextDocument } = require("vscode-languageserver-textdocument");

async function main() {
  const definitions = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const service = getLanguageService({ promiseConstructor: Promise });
  const found = {};
  for (const [name, text] of Object.entries(definitions)) {
    const document = TextDocument.create(`file:///${name}.asl.json`, "asl", 1, text);
    const diagnostics = await service.doValidation(document, service.parseJSONDocument(document));
    found[name] = diagnostics.map((each) => `line ${each.range.start.line + 1}: ${each.message}`);
  }
  process.stdout.write(JSON.stringify(found));
}

main();
