// sarif.mjs FILE: is it valid by the schema of SARIF 2.1.0? Exit status 1 and the first reason if not.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const schema = createRequire(import.meta.url).resolve('@microsoft/sarif-multitool-linux/sarif-2.1.0.json');
const ajv = new Ajv({ strict: false });
formats(ajv);
const valid = ajv.compile(JSON.parse(readFileSync(schema, 'utf8')));
if (!valid(JSON.parse(readFileSync(process.argv[2], 'utf8')))) {
    console.error(`${process.argv[2]}: ${valid.errors[0].instancePath} ${valid.errors[0].message}`);
    process.exit(1);
}
