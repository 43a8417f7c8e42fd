// Writes the client's types of openapi.yaml: node generate.mjs OPENAPI OUT. A number with `format: decimal` is read by its digits, and not as
// a JavaScript number: its type is exact.ts's.

import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const [input, output] = process.argv.slice(2);
const exact = () => ts.factory.createTypeReferenceNode("ExactNumber");
const nodes = await openapiTS(pathToFileURL(input), {
  transform: (schema) => (schema.type === "number" && schema.format === "decimal" ? exact() : undefined),
});
writeFileSync(output, `import type { ExactNumber } from "./exact.js";\n${astToString(nodes)}`);
