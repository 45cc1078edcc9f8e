#!/usr/bin/env bash
# install.sh BUILD_DIR
# Promise: what `cmake --install` puts under a prefix is enough to write an importer: with nothing but
# pkg-config, its header's example compiles to a shared library and a program links the library, loads
# the importer and gets its image. The prefix is another one than was configured.
set -euo pipefail
build=$(cd "$1" && pwd)
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cd "$prefix" # where no header of the tree is near
cmake --install "$build" --prefix "$prefix" >/dev/null
pc=$(find "$prefix" -name midcommit.pc)
[ -n "$pc" ] || { echo "no midcommit.pc was installed"; exit 1; }
export PKG_CONFIG_PATH=${pc%/*}
[ -f "$prefix/share/man/man1/midcommit.1" ] || { echo "no manual was installed"; exit 1; }
[ -f "$prefix/share/doc/midcommit/LICENSE" ] || { echo "no licence was installed"; exit 1; }

cat >"$prefix/mine.c" <<'END'
#include <core/importer.h>

/* Takes one page from the start of main. */
static mc_status import(const mc_input *input, mc_arena *arena, mc_import *out, mc_error *error)
{
    const mc_file *main = &input->files.main;
    if (main->size < MC_PAGE_SIZE_MIN) {
        return mc_fail(error, MC_REFUSED, "too-short", "main has %d bytes", (int)main->size);
    }
    const uint8_t **page = mc_arena_alloc(arena, sizeof *page);
    page[0] = main->data;
    out->image = (mc_image){.page_size = MC_PAGE_SIZE_MIN, .page_count = 1, .page = page};
    return MC_OK;
}

static const mc_importer mine = {MC_IMPORTER_ABI, "mine", "takes the first page", import};
const mc_importer *midcommit_importer(void);
const mc_importer *midcommit_importer(void)
{
    return &mine;
}
END
cat >"$prefix/load.c" <<'END'
#include <assert.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <core/importer.h>

int main(int argc, char **argv)
{
    void *library = dlopen(argv[argc - 1], RTLD_NOW);
    assert(library != NULL);
    const mc_importer *(*get)(void);
    *(void **)&get = dlsym(library, "midcommit_importer");
    const mc_importer *mine = get();
    assert(mine->abi == MC_IMPORTER_ABI && mc_importer_find("recover") != NULL);
    uint8_t page[MC_PAGE_SIZE_MIN];
    memset(page, 'a', sizeof page);
    mc_input input = {.files = {.main = {.exists = true, .data = page, .size = sizeof page}}};
    mc_arena arena = {.limit_bytes = 1 << 20};
    mc_import out = {0};
    mc_error error;
    assert(mine->import(&input, &arena, &out, &error) == MC_OK);
    char hex[33];
    mc_hash128_hex(mc_image_content_hash(&out.image), hex);
    puts(hex);
    input.files.main.size = 7;
    assert(mine->import(&input, &arena, &out, &error) == MC_REFUSED);
    puts(error.text);
    mc_arena_free(&arena);
    return 0;
}
END
cc=${CC:-cc}
# shellcheck disable=SC2046 # flags are words
$cc -Wall -Werror -shared -fPIC $(pkg-config --cflags midcommit) "$prefix/mine.c" -o "$prefix/mine.so"
# shellcheck disable=SC2046
$cc -Wall -Werror $(pkg-config --cflags midcommit) "$prefix/load.c" -o "$prefix/load" -rdynamic \
    $(pkg-config --libs midcommit) -ldl
found=$("$prefix/load" "$prefix/mine.so")
# XXH3-128 of 512 times 'a', as `xxhsum -H2` says.
wanted=$(printf '%s\nmain has 7 bytes' 9718dbab650037cd4659a548a9cc8db1)
[ "$found" = "$wanted" ] || { echo "wanted: $wanted"; echo "found: $found"; exit 1; }

# The installed program judges a loaded importer exactly as the built-in one that it calls.
[ -x "$prefix/bin/midcommit" ] || exit 0
cat >"$prefix/like_abandon.c" <<'END'
#include <core/importer.h>

static mc_status import(const mc_input *input, mc_arena *arena, mc_import *out, mc_error *error)
{
    return mc_importer_find("abandon")->import(input, arena, out, error);
}

static const mc_importer like_abandon = {MC_IMPORTER_ABI, "like-abandon", "as abandon", import};
const mc_importer *midcommit_importer(void);
const mc_importer *midcommit_importer(void)
{
    return &like_abandon;
}
END
# shellcheck disable=SC2046
$cc -Wall -Werror -shared -fPIC $(pkg-config --cflags midcommit) "$prefix/like_abandon.c" \
    -o "$prefix/like_abandon.so"
"$prefix/bin/midcommit" run --workload inplace --mode delete --crash kill --txns 2 --json - \
    --importer "abandon,so:$prefix/like_abandon.so" >"$prefix/run.json"
torn=$(grep -oE '"torn": *[0-9]+' "$prefix/run.json")
[ "$(echo "$torn" | wc -l)" = 2 ] && [ "$(echo "$torn" | sort -u | wc -l)" = 1 ] &&
    [ "${torn##* }" -gt 0 ] || { echo "abandon and its like differ, or tear nothing: $torn"; exit 1; }

# The scripts of the ready importers are there, and say the same as the program's own steps.
[ -x "$prefix/share/midcommit/field/cp.sh" ] || { echo "no scripts were installed"; exit 1; }
"$prefix/bin/midcommit" run --workload inplace --mode delete --crash kill --txns 1 --budget 1 --json - \
    --importer "@cp,exec:$prefix/share/midcommit/field/cp.sh" >"$prefix/run.json"
torn=$(grep -oE '"torn": *[0-9]+' "$prefix/run.json")
[ "$(echo "$torn" | wc -l)" = 2 ] && [ "$(echo "$torn" | sort -u | wc -l)" = 1 ] ||
    { echo "@cp and its script differ: $torn"; exit 1; }
mkdir "$prefix/fake"
printf '#!/bin/sh\necho 1\ncp main.db out.db 2>why.txt || true\n' >"$prefix/fake/sqlite3"
chmod 755 "$prefix/fake/sqlite3"
printf '#!/bin/sh\nexit 3\n' >"$prefix/share/midcommit/field/recover.sh"
chmod 755 "$prefix/share/midcommit/field/recover.sh"
PATH=$prefix/fake:$PATH "$prefix/bin/midcommit" run --workload inplace --mode delete --crash kill \
    --txns 1 --budget 1 --json - --importer @.recover >"$prefix/run.json"
grep -qE '"blocked": *[1-9]' "$prefix/run.json" ||
    { echo "the installed program runs other scripts than those beside it"; exit 1; }
