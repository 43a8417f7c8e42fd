// Makes a provider's specification a stricter judge: node strict.mjs SPECIFICATION OUT.
// - A field that the specification doesn't name is refused in requests: OpenAPI allows any by default, so that a misspelt optional
//   field would pass.
// - Paths begin with their server's: the judge takes no notice of it.
// - Answers other than 2xx are taken out: a violation is then told as one, and not as the example of some documented refusal.
import { readFileSync, writeFileSync } from "node:fs";
import YAML from "yaml";

const [input, output] = process.argv.slice(2);
const spec = YAML.parse(readFileSync(input, "utf8"));
const METHODS = ["get", "put", "post", "patch", "delete"];

const resolve = (ref) => ref.replace(/^#\//, "").split("/").reduce((at, key) => at?.[key.replace(/~1/g, "/")], spec);

let closed = 0;
const seen = new Set();
// `composed`: a part of an allOf sees the whole object, so it can't say which fields there are.
function close(schema, composed = false) {
    if (!schema || typeof schema !== "object" || seen.has(schema)) return;
    seen.add(schema);
    if (schema.$ref) return close(resolve(schema.$ref), composed);
    for (const part of schema.allOf ?? []) close(part, true);
    for (const part of [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])]) close(part, composed);
    for (const property of Object.values(schema.properties ?? {})) close(property);
    close(schema.items);
    const whole = !composed && !schema.allOf && !schema.oneOf && !schema.anyOf;
    if (whole && schema.properties && schema.additionalProperties === undefined) {
        schema.additionalProperties = false;
        closed += 1;
    }
}

for (const path of Object.values(spec.paths)) {
    for (const method of METHODS) {
        const operation = path[method];
        if (!operation) continue;
        for (const status of Object.keys(operation.responses ?? {})) {
            if (!/^2/.test(status)) delete operation.responses[status];
        }
        const body = operation.requestBody?.$ref ? resolve(operation.requestBody.$ref) : operation.requestBody;
        for (const content of Object.values(body?.content ?? {})) close(content.schema);
    }
}
const base = new URL((spec.servers?.[0]?.url ?? "/").replace(/\{[^}]*\}/g, "0"), "http://judge").pathname.replace(/\/$/, "");
spec.paths = Object.fromEntries(Object.entries(spec.paths).map(([path, operations]) => [base + path, operations]));
if (closed === 0) {
    console.error(`${input}: no request has a schema with fields`);
    process.exit(1);
}
writeFileSync(output, JSON.stringify(spec));
