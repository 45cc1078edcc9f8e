#!/usr/bin/env bash
# get-sqlite.sh [current|debian|ossfuzz]: fetches the source of one SQLite for -DMIDCOMMIT_SQLITE_DIR and
# prints the folder that holds its sqlite3.c and sqlite3.h; or what fuzz/compare.sh compares with.
#
#   current   the SQLite inside the npm package better-sqlite3, at the version pinned below
#   debian    the SQLite of the distribution's own source package, made into one file by its makefile
#             (its lists and caches are private to this script; the system's are read, never changed)
#   ossfuzz   of the same source package: SQLite's own fuzz harness, ossfuzz.c, and its fuzzdata1.db
#
# The files must have the digests in sqlite.sha256; a folder that already has them is used again. It
# lies in build/sqlite/ of this tree. Exit status: 0; 2 wrong usage; 3 when a registry is out of reach,
# holds something else than is known here, or a tool fails: one line says which.
set -euo pipefail
. "$(dirname "$0")/setup.sh"

npm_package=better-sqlite3@12.11.1

kind=${1:-current}
cache=$top/build/sqlite
folder=$cache/$kind
digests=$top/harness/sqlite.sha256

# Whether DIR holds the known files of this kind.
is_known() {
    [ -d "$1" ] &&
        (cd "$1" && grep " $kind/" "$digests" | sed "s# $kind/# #" | sha256sum --check --status - 2>/dev/null)
}

version_of() {
    cat "$1/source/VERSION" 2>/dev/null || sed -n 's/^#define SQLITE_VERSION  *//p' "$1/out/sqlite3.h"
}

fetch_current() {
    command -v npm >/dev/null || die 3 "get-sqlite: current: there is no npm (Debian package npm)"
    (cd "$work" && npm pack --loglevel=error --ignore-scripts --fetch-retries=1 \
        --fetch-retry-mintimeout=2000 "$npm_package" >npm.log 2>&1) ||
        die 3 "get-sqlite: current: npm cannot fetch $npm_package:" \
            "$(sed -n -E 's/^npm (error|ERR!) code //p' "$work/npm.log" | head -n 1)"
    tar -C "$work" -xf "$work"/better-sqlite3-*.tgz package/deps/sqlite3 ||
        die 3 "get-sqlite: current: $npm_package holds no deps/sqlite3"
    cp "$work"/package/deps/sqlite3/sqlite3.[ch] "$work/out/"
}

# The archives that the system's own package lists name, asked for sources.
write_source_list() {
    apt-get indextargets --format '$(ORIGIN) deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' | sed -n -E 's/^(Debian|Ubuntu) //p' | sort -u >"$work/sources.list"
    [ -s "$work/sources.list" ]
}

# The unpacked source package, in $work/source.
fetch_package() {
    need amalgamation
    if ! write_source_list; then
        quiet_apt_get update && write_source_list ||
            die 3 "get-sqlite: $kind: the system's package lists name no archive"
    fi
    mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
    local options=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::lists=$work/state/lists" -o "Dir::Cache=$work/cache"
        -o "APT::Sandbox::User=$(id -un)")
    (cd "$work" && apt-get "${options[@]}" update &&
        apt-get "${options[@]}" source --download-only sqlite3) >"$work/apt.log" 2>&1 </dev/null ||
        die 3 "get-sqlite: $kind: the source package cannot be fetched: $(tail -n 1 "$work/apt.log")"
    mkdir "$work/source"
    tar -C "$work/source" --strip-components 1 -xf "$work"/sqlite3_*.orig.tar.*
}

fetch_debian() {
    fetch_package
    (cd "$work/source" && ./configure && make sqlite3.c) >"$work/make.log" 2>&1 ||
        die 3 "get-sqlite: debian: sqlite3.c cannot be made: $(tail -n 1 "$work/make.log")"
    cp "$work"/source/sqlite3.[ch] "$work/out/"
}

fetch_ossfuzz() {
    fetch_package
    cp "$work/source/test/ossfuzz.c" "$work/source/test/fuzzdata1.db" "$work/out/" ||
        die 3 "get-sqlite: ossfuzz: the source package holds no such file"
}

case $kind in
current | debian | ossfuzz) ;;
*) die 2 "get-sqlite: $kind: unknown; usage: get-sqlite.sh [current|debian|ossfuzz]" ;;
esac
if ! is_known "$folder"; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mkdir "$work/out"
    "fetch_$kind"
    is_known "$work/out" || die 3 "get-sqlite: $kind: the fetched SQLite is \
$(version_of "$work"), with other digests than sqlite.sha256"
    rm -rf "$folder"
    mv "$work/out" "$folder"
fi
echo "$folder"
