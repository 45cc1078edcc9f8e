#!/bin/sh
# header.sh: a gate that looks at the first 18 bytes and the size: the checks of the importer that
# midcommit calls abandon (core/field.h). An empty file is an empty database.
. "${0%/*}/sqlite.sh"
copy_main
size=$(wc -c <out.db)
[ "$size" != 0 ] || exit 0
# shellcheck disable=SC2046 # one word a byte
set -- $(od -An -v -tu1 -N18 out.db)
[ $# = 18 ] || exit 3
magic="$1 $2 $3 $4 $5 $6 $7 $8 $9 ${10} ${11} ${12} ${13} ${14} ${15} ${16}"
[ "$magic" = '83 81 76 105 116 101 32 102 111 114 109 97 116 32 51 0' ] || exit 3 # SQLite format 3
page=$((${17} * 256 + ${18}))
case $page in
1) page=65536 ;;
512 | 1024 | 2048 | 4096 | 8192 | 16384 | 32768) ;;
*) exit 3 ;;
esac
[ $((size % page)) = 0 ] || exit 3
