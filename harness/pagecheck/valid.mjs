// valid.mjs SCHEMA FILE...: is each valid by a JSON schema, a file's, or `sarif` for that of SARIF 2.1.0?
// Exit status 1 and the first reason if not.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const [name, ...files] = process.argv.slice(2);
const schema =
    name !== 'sarif'
        ? name
        : createRequire(import.meta.url).resolve('@microsoft/sarif-multitool-linux/sarif-2.1.0.json');
const ajv = new Ajv({ strict: false });
formats(ajv);
const valid = ajv.compile(JSON.parse(readFileSync(schema, 'utf8')));
for (const file of files) {
    if (!valid(JSON.parse(readFileSync(file, 'utf8')))) {
        console.error(`${file}: ${valid.errors[0].instancePath} ${valid.errors[0].message}`);
        process.exit(1);
    }
}
