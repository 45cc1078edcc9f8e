#!/bin/sh
# readonly.sh: the online backup of somebody who must not write to the source.
. "${0%/*}/sqlite.sh"
sqlite -readonly main.db '.backup out.db'
