#!/bin/sh
# cp-live.sh: copies the main file block by block, in order, as rsync, tar and cp do, while the
# service that died comes back: when half of the blocks are copied, it opens its database, which plays
# back a hot journal, reads, and closes it, which moves the WAL into the main file. It changes no
# content, only which bytes hold it. What the restart says is not the copier's business.
. "${0%/*}/sqlite.sh"
[ -e main.db ] || exit 3
blocks=$((($(wc -c <main.db) + 4095) / 4096))
half=$((blocks / 2 * 4096))
head -c $half main.db >out.db || exit 4
sqlite3 -init /dev/null main.db 'SELECT count(*) FROM sqlite_schema' >/dev/null 2>&1
tail -c +$((half + 1)) main.db >>out.db || exit 4
