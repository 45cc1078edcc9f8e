#!/bin/sh
# backup.sh: SQLite's online backup; the sidecars lie beside main.db, so SQLite recovers it first.
. "${0%/*}/sqlite.sh"
sqlite main.db '.backup out.db'
