#!/bin/sh
# immutable.sh: the online backup of a file that is said never to change, which is how a database on a
# snapshot or a read-only mount is often opened. SQLite then looks at no sidecar.
. "${0%/*}/sqlite.sh"
sqlite -readonly 'file:main.db?immutable=1' '.backup out.db'
