#!/bin/sh
# cp-wal.sh: copies the main file and its WAL, forgets the journal, and opens the copy once, so that
# what the WAL holds moves into out.db.
. "${0%/*}/sqlite.sh"
copy_main
[ ! -e main.db-wal ] || cp main.db-wal out.db-wal || exit 4
sqlite out.db 'PRAGMA wal_checkpoint(TRUNCATE)'
