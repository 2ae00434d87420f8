// Runs SQL statements in ClickHouse, one after the other in one session.
//   node run.mjs FOLDER     FOLDER has node_modules/chdb
// Standard input is a JSON array of statements. Standard output is one of what
// each gave: {"error"} or {"text"}, lines of JSON: names, types, rows.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { Session } = createRequire(join(process.argv[2], 'package.json'))('chdb');
const session = new Session();
const answers = JSON.parse(readFileSync(0, 'utf8')).map((statement) => {
  try {
    return { text: session.query(statement, 'JSONCompactEachRowWithNamesAndTypes') };
  } catch (error) {
    return { error: String(error) };
  }
});
process.stdout.write(JSON.stringify(answers));
session.cleanup();
