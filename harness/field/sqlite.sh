# sqlite.sh: what the scripts beside it share; sourced, never run. A script runs in a folder with
# main.db and its sidecars, leaves out.db there, and ends with 0 (imported) or 3 (refused). Any other
# status is a failure, which ends midcommit's run.

# sqlite ARGUMENT...: the sqlite3 program without anybody's ~/.sqliterc, saying what it prints. What
# SQLite does not read is refused; what goes wrong with the machine or the program is a failure.
sqlite() {
    said=$(sqlite3 -init /dev/null "$@" 2>why.txt) && return
    [ $? -lt 126 ] || exit 4 # it is not there, or was killed
    case $(cat why.txt) in
    *'is full'* | *'out of memory'* | *'disk I/O'* | *'unknown command'* | *sqlite_dbpage*)
        cat why.txt >&2
        exit 4
        ;;
    esac
    exit 3
}

# copy_main: what every gate starts with, and some stop at.
copy_main() {
    [ -e main.db ] || exit 3
    cp main.db out.db || exit 4
}
