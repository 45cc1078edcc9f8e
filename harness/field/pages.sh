#!/bin/sh
# pages.sh: a gate that, after the header gate, multiplies the header's number of pages by the page
# size: that must be the size of the file. The number counts only when the change counter equals
# version-valid-for and it is not 0 (fileformat2 1.3.7).
. "${0%/*}/header.sh"
[ "$size" -ge 100 ] || exit 3
# shellcheck disable=SC2046 # the change counter, the number of pages
set -- $(od -An -v -tu1 -j24 -N8 out.db) $(od -An -v -tu1 -j92 -N4 out.db)
[ "$1 $2 $3 $4" = "$9 ${10} ${11} ${12}" ] || exit 0
pages=$(((($5 * 256 + $6) * 256 + $7) * 256 + $8))
[ "$pages" = 0 ] || [ $((pages * page)) = "$size" ] || exit 3
