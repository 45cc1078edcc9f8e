// build.mjs OUT.c: bundles the page and writes it as the C file that midcommit is linked with. The page
// has gaps, {{title}}, {{plain}} and {{data}}, which midcommit fills.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const options = { bundle: true, minify: true, write: false, target: 'es2020', legalComments: 'none' };
const here = (path) => new URL(path, import.meta.url).pathname;
const bundle = async (path, more) =>
    (await build({ ...options, entryPoints: [here(path)], ...more })).outputFiles[0].text.trim();

const script = (await bundle('src/main.js', { format: 'iife' })).replaceAll('</script', '<\\/script');
const style = await bundle('src/style.css', {});
if ((script + style).includes('{{')) {
    throw new Error('the bundle holds "{{", which marks a gap');
}
const digest = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const policy =
    `default-src 'none'; script-src ${digest(script)}; style-src ${digest(style)}; ` +
    "base-uri 'none'; form-action 'none'";
const licences =
    'd3-axis, d3-scale, d3-selection, d3-shape and what they use: ' + 'copyright Mike Bostock, ISC licence';
const page = readFileSync(here('src/page.html'), 'utf8')
    .replace('POLICY', () => policy)
    .replace('LICENCES', () => licences)
    .replace('STYLE', () => style)
    .replace('SCRIPT', () => script);

const bytes = [...Buffer.from(page + '\0')];
const lines = [];
for (let i = 0; i < bytes.length; i += 24) {
    lines.push(
        bytes
            .slice(i, i + 24)
            .map((b) => (b > 127 ? b - 256 : b))
            .join(','),
    );
}
writeFileSync(
    process.argv[2],
    '/* Made by reports/page/build.mjs. */\n#include "reports/page.h"\n\n' +
        `const char mc_page_template[] = {\n${lines.join(',\n')}};\n`,
);
