// check.mjs SCHEMA DOCUMENT...: each document must be what the schema says; one line for each that is
// not, and status 1. SCHEMA is a file, or `sarif`: the one of SARIF 2.1.0, as an npm package has it.
// With --each-mistake a document is broken instead, one key at a time, and each time must not be valid.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import Ajv04 from "ajv-draft-04";
import Ajv from "ajv/dist/2020.js";
import formats from "ajv-formats";

const args = process.argv.slice(2);
const mistakes = args[0] === "--each-mistake" && args.shift() !== undefined;
const [name, ...documents] = args;
const sarif = "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json";
const path = name === "sarif" ? createRequire(import.meta.url).resolve(sarif) : name;
const schema = JSON.parse(readFileSync(path, "utf8"));
// A pattern in SARIF's schema is none for a strict reader of regular expressions.
const ajv = name === "sarif" ? new Ajv04({ strict: false, unicodeRegExp: false })
    : new Ajv({ strict: true, allowUnionTypes: true });
formats.default(ajv);
const valid = ajv.compile(schema);

// Every object of a document, with the first of those in a list for all.
function* objects(value) {
    if (Array.isArray(value)) {
        if (value.length > 0) yield* objects(value[0]);
    } else if (value !== null && typeof value === "object") {
        yield value;
        for (const key of Object.keys(value)) yield* objects(value[key]);
    }
}

let wrong = 0;
let broken = 0;
for (const file of documents) {
    const document = JSON.parse(readFileSync(file, "utf8"));
    if (!valid(document)) {
        const e = valid.errors[0];
        console.log(`${file}: ${e.instancePath || "/"}: ${e.message} ${JSON.stringify(e.params)}`);
        wrong++;
    } else if (mistakes) {
        for (const object of objects(document)) {
            for (const key of Object.keys(object)) {
                const kept = object[key];
                object[key] = { no: "such" };
                broken++;
                if (valid(document)) {
                    console.log(`${file}: ${key} may be anything`);
                    wrong++;
                }
                object[key] = kept;
            }
        }
    }
}
if (mistakes) console.log(`${broken} mistakes`);
process.exitCode = wrong > 0 ? 1 : 0;
