#!/bin/sh
# vacuum.sh: SQLite reads what it recovers and writes it anew, without free pages.
. "${0%/*}/sqlite.sh"
sqlite main.db "VACUUM INTO 'out.db'"
