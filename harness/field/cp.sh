#!/bin/sh
# cp.sh: copies the main file and nothing else.
. "${0%/*}/sqlite.sh"
copy_main
