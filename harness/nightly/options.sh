# options.sh: the options of a night, and its folder. Sourced by nightly.sh.

usage() {
    sed -n '2,/^set -/{s/^# \{0,1\}//p}' "$nightly/../nightly.sh"
}

# number WHAT TEXT MOST
number() {
    [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] && [ "$2" -le "$3" ] ||
        die 2 "nightly: $1: \"$2\" is no number from 1 to $3"
}

parse_options() {
    minutes='' out='' kept='' resume=false jobs=$cores memory=512 weekly=false fuzz=60
    seed='' sqlite=current wanted='' importer=recover built='' given=("$@")
    while [ $# -gt 0 ]; do
        case $1 in
        --resume) resume=true ;;
        --weekly) weekly=true ;;
        --help) usage; exit 0 ;;
        --minutes | --out | --kept | --jobs | --memory | --seed | --sqlite | --targets | --importer | \
            --built | --fuzz)
            [ $# -gt 1 ] || die 2 "nightly: $1: needs a value"
            case $1 in
            --targets) wanted=$2 ;;
            *) printf -v "${1#--}" %s "$2" ;;
            esac
            shift
            ;;
        *) die 2 "nightly: $1: unknown; see nightly.sh --help" ;;
        esac
        shift
    done
    if $resume; then
        recall_options
        return
    fi
    [ -n "$minutes" ] || die 2 "nightly: --minutes: how long? see nightly.sh --help"
    number --minutes "$minutes" 10000
    number --jobs "$jobs" 64
    number --memory "$memory" 1000000
    number --fuzz "$fuzz" 80
    seed=${seed:-$(date +%Y%m%d)}
    number --seed "$seed" 999999999
    case $sqlite in
    current | debian | system) ;;
    *) die 2 "nightly: --sqlite: \"$sqlite\" is none of current, debian, system" ;;
    esac
}

# The options of the night that goes on; --out alone is this command line's.
recall_options() {
    [ -n "$out" ] || die 2 "nightly: --resume: needs the --out of the night that goes on"
    [ -f "$out/work/options" ] || die 2 "nightly: --resume: $out: no night was started there"
    local from=$out
    eval "parse_options $(cat "$from/work/options")"
    out=$from
    resume=true
}

# Makes the folder, or takes the one of the night that goes on.
open_night() {
    out=${out:-$top/build/nights/$(date +%Y%m%d-%H%M%S)}
    if ! $resume && [ -n "$(ls -A "$out" 2>/dev/null)" ]; then
        die 2 "nightly: --out: $out: not empty; a new folder, or --resume"
    fi
    mkdir -p "$out"/{logs,cases,corpora,work/{phases,findings,engines,corpora,artifacts,afl,problems}} ||
        die 3 "nightly: $out: cannot be made"
    out=$(cd "$out" && pwd)
    exec {night_lock}>"$out/work/lock" # all that a night starts holds it, too, until the guard has ended it
    flock -w 20 "$night_lock" || die 3 "nightly: $out: another night is at work there"
    kept=${kept:-$out/../kept}
    mkdir -p "$kept/corpora" || die 3 "nightly: --kept: $kept: cannot be made"
    kept=$(cd "$kept" && pwd)
    [ -z "$built" ] || built=$(cd "$built" && pwd) || die 2 "nightly: --built: no such folder"
    if ! $resume; then
        printf '%q ' "${given[@]}" --seed "$seed" --kept "$kept" ${built:+--built "$built"} \
            | whole "$out/work/options"
    fi
}

# whole FILE: stdin becomes FILE, which is never seen half written.
whole() {
    cat >"$1.part" && mv "$1.part" "$1"
}
