// Prints what the parser of AsyncAPI has to say of a document, as JSON:
//   node validate.mjs FOLDER_OF_NODE_MODULES DOCUMENT
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, document] = process.argv.slice(2);
const { Parser, fromFile } = createRequire(join(folder, "from.js"))("@asyncapi/parser");
const { document: parsed, diagnostics } = await fromFile(new Parser(), document).parse();
console.log(JSON.stringify({
  problems: diagnostics.filter((d) => d.severity < 2).map((d) => `${d.path.join(".")}: ${d.message} (${d.code})`),
  addresses: parsed?.channels().all().map((c) => c.address()) ?? [],
}));
