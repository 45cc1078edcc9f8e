#!/usr/bin/env bash
# page.sh FOLDER OUT.c: bundles the report page (reports/page) in FOLDER and writes it as a C file. Without
# npm, or when the packages cannot be had, the C file holds an empty page: midcommit then writes pages of
# plain tables, which say so. A bundle that is there and of the same sources is kept.
set -euo pipefail
. "$(dirname "$0")/setup.sh"
[ $# = 2 ] || die 2 "page.sh: needs FOLDER OUT.c"
folder=$1 out=$2

without() {
    say "the report page has tables only: $*"
    printf '#include "reports/page.h"\n\nconst char mc_page_template[] = "";\n' >"$out"
    exit 0
}

command -v npm >/dev/null && command -v node >/dev/null || without "there is no npm here"
mkdir -p "$folder"
for file in package.json package-lock.json; do
    cmp -s "$top/reports/page/$file" "$folder/$file" || { rm -rf "$folder/node_modules"; break; }
done
rm -rf "$folder/src"
cp -r "$top"/reports/page/{package.json,package-lock.json,build.mjs,src} "$folder/"
if [ ! -e "$folder/node_modules/.package-lock.json" ]; then
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries=1 \
        --fetch-timeout=30000 --loglevel=error >npm.log 2>&1) || without "npm ci failed, see $folder/npm.log"
fi
# What the sources hold is an error, not a reason to do without.
node "$folder/build.mjs" "$out.new" || die 3 "page.sh: the page could not be bundled"
mv "$out.new" "$out"
