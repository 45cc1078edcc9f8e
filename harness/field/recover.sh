#!/bin/sh
# recover.sh: the shell's salvage command writes all rows that it finds as SQL, which makes a new
# database. (A file between the two instead of a pipe, so that a failure of the first is seen.)
. "${0%/*}/sqlite.sh"
sqlite main.db '.output rows.sql' .recover
sqlite out.db '.read rows.sql'
