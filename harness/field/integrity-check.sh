#!/bin/sh
# integrity-check.sh: a gate that asks SQLite about the copy.
. "${0%/*}/sqlite.sh"
copy_main
sqlite out.db 'PRAGMA integrity_check(1)'
[ "$said" = ok ] || exit 3
