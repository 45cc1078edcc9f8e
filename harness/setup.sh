# setup.sh: what the scripts beside it share; sourced, never run.
#
# A machine is a Debian or Ubuntu with at least git. What is missing is found by looking for the thing
# itself, not for its package, so a compiler or a library that came from elsewhere counts; only what is
# missing is installed, and only then is the package list refreshed. A second start changes nothing.
# What these functions say goes to stderr: stdout belongs to the program that is started in the end.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cores=$(nproc 2>/dev/null || echo 2)

say() {
    echo "midcommit: $*" >&2
}

# die STATUS WHAT: WHY
die() {
    local status=$1
    shift
    say "$@"
    exit "$status"
}

# tree_files PATTERN...: the files below the current folder that belong to the tree, one a line: what
# git would keep, or all that are there where git does not know the folder (or does not trust it).
tree_files() {
    local pattern
    if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; then
        git ls-files --cached --others --exclude-standard "$@" | while read -r file; do
            [ ! -f "$file" ] || echo "$file"
        done
        return
    fi
    for pattern in "$@"; do
        find . -type f -path "./$pattern" -not -path './build*' -not -path './.git/*' |
            sed 's#^\./##'
    done
}

# What a purpose needs: how to see that it is there, and the package that brings it.
needs_of() {
    case $1 in
    build)
        cat <<'END'
command cc build-essential
header stdlib.h libc6-dev
command cmake cmake
command ninja ninja-build
command pkg-config pkg-config
module sqlite3 libsqlite3-dev
module libxxhash libxxhash-dev
module liblz4 liblz4-dev
module lmdb liblmdb-dev
module gmp libgmp-dev
module jansson libjansson-dev
module libarchive libarchive-dev
module libxml-2.0 libxml2-dev
END
        ;;
    run)
        needs_of build
        echo "command sqlite3 sqlite3"
        ;;
    test)
        needs_of run
        echo "module cmocka libcmocka-dev"
        echo "command zstd zstd" # by which tar unpacks a case
        ;;
    ci)
        needs_of test
        needs_of fuzz
        cat <<'END'
command clang clang
clang-runtime asan libclang-rt-14-dev
command clang-format-14 clang-format-14
command npm npm
command chromium chromium
command parallel parallel
command rsync rsync
module fuse3 libfuse3-dev
command fusermount3 fuse3
command mkfs.ext4 e2fsprogs
command mkfs.xfs xfsprogs
command mkfs.btrfs btrfs-progs
END
        ;;
    fuzz)
        needs_of build
        cat <<'END'
command clang clang
clang-runtime fuzzer libclang-rt-14-dev
command llvm-cov-14 llvm-14
command afl-fuzz afl++
command jq jq
command perl perl-base
command npm npm
END
        ;;
    amalgamation)
        cat <<'END'
command cc build-essential
command make make
command tclsh tcl
command xz xz-utils
END
        ;;
    esac
}

is_there() {
    case $1 in
    command) command -v "$2" >/dev/null ;;
    module) pkg-config --exists "$2" 2>/dev/null ;;
    header) echo "#include <$2>" | cc -E - >/dev/null 2>&1 ;;
    clang-runtime)
        [ -n "$(find "$(clang --print-resource-dir 2>/dev/null || echo /nonexistent)/" \
            -name "libclang_rt.$2*" -print -quit 2>/dev/null)" ]
        ;;
    esac
}

# The packages that PURPOSE lacks, one a line.
missing_packages() {
    local kind name package
    needs_of "$1" | while read -r kind name package; do
        is_there "$kind" "$name" || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die 3 "install: not root, and there is no sudo"
        sudo "$@"
    fi
}

# apt-get that asks nothing; its output is shown only when it fails.
quiet_apt_get() {
    local log status=0
    log=$(mktemp)
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" \
        >"$log" 2>&1 </dev/null || status=$?
    [ "$status" = 0 ] || tail -n 5 "$log" >&2
    rm -f "$log"
    return "$status"
}

# need PURPOSE: installs what PURPOSE lacks.
need() {
    local packages
    packages=$(missing_packages "$1" | sort -u | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    command -v apt-get >/dev/null ||
        die 3 "install: no apt-get here; please install what these packages hold: $packages"
    say "installing $packages"
    quiet_apt_get update || die 3 "install: the package list cannot be refreshed"
    # shellcheck disable=SC2086 # a list of words
    quiet_apt_get install -y --no-install-recommends $packages ||
        die 3 "install: apt-get could not install $packages"
    packages=$(missing_packages "$1" | tr '\n' ' ')
    [ -z "$packages" ] || die 3 "install: still missing after installing: $packages"
    rm -f "$top"/build*/arguments # a build made before has not seen what is here now
}

# build DIR CMAKE_ARGUMENT...: configures DIR anew when its arguments changed, and builds it, or what the
# array build_only names of it. Two at a time wait for each other.
build_only=()
build() {
    local dir=$1 log=$1/build.log arguments
    shift
    mkdir -p "$dir"
    arguments=$(printf '%s\n' "$@")
    (
        flock 9
        if [ ! -f "$dir/build.ninja" ] ||
            [ "$(cat "$dir/arguments" 2>/dev/null)" != "$arguments" ]; then
            say "configuring and building ${dir#"$top"/}"
            rm -rf "$dir/CMakeCache.txt" "$dir/CMakeFiles"
            cmake -S "$top" -B "$dir" "$@" >"$log" 2>&1 ||
                { tail -n 15 "$log" >&2; exit 1; }
            printf '%s' "$arguments" >"$dir/arguments"
        fi
        ninja -C "$dir" -j "$cores" "${build_only[@]}" >"$log" 2>&1 ||
            { grep -A 15 FAILED "$log" >&2; exit 1; }
        grep -q 'no work to do' "$log" || say "built ${dir#"$top"/}"
    ) 9>"$dir/build.lock" || die 3 "build: ${dir#"$top"/} failed, see ${log#"$top"/}"
}
