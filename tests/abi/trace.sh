#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The static probes are in the binary, with the arguments that the manual names, and an unwatched
# one is a nop.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"
library=${ATOMICIO_BUILD:-$root/build/gcc}/libatomicio.so

cache=${library%/*}/CMakeCache.txt
if ! grep -q '^ATOMICIO_HAVE_SDT:INTERNAL=1' "$cache"; then
	echo "ok - the_probes_are_in_the_binary # SKIP sys/sdt.h is missing (systemtap-sdt-dev)"
	exit 0
elif grep -q '^ATOMICIO_TRACE:STRING=OFF' "$cache"; then
	echo "ok - the_probes_are_in_the_binary # SKIP configured without them"
	exit 0
fi
readelf -n "$library" >"$scratch/notes"

# NAME ARGUMENTS, as the binary has them and as the manual says; a name may be in many places.
awk '/Provider: / { ours = $2 == "libatomicio" }
	/Name: / { name = $2 }
	/Arguments: / && ours { print name, NF - 1 }' "$scratch/notes" | sort -u >"$scratch/binary"
sed -nE 's/^\.It Sy ([a-z_]+) Ns Pq Ar (.*)/\1 \2/p' "$root/man/atomicio-trace.7" |
	awk '{ gsub(/ , /, ","); print $1, split($2, names, ",") }' | sort >"$scratch/manual"
printf '%s\n' checkpoint classify frame_commit policy replay submit >"$scratch/names"

cut -d ' ' -f 1 "$scratch/binary" | diff "$scratch/names" - >"$scratch/log"
report $? the_probes_are_in_the_binary "$scratch/log"
diff "$scratch/manual" "$scratch/binary" >"$scratch/log"
report $? the_manual_names_the_probes_and_their_arguments "$scratch/log"

: >"$scratch/log"
objdump -d "$library" >"$scratch/code"
sed -nE 's/.*Location: 0x0*([0-9a-f]+),.*/\1/p' "$scratch/notes" | while read -r at; do
	grep -qE "^ *$at:.*\bnop\b" "$scratch/code" || grep -E "^ *$at:" "$scratch/code" >>"$scratch/log"
done
[ ! -s "$scratch/log" ]
report $? a_probe_that_nobody_watches_is_a_nop "$scratch/log"
! grep 'Semaphore: 0x0*[1-9a-f]' "$scratch/notes" >"$scratch/log"
report $? a_probe_has_no_switch_to_test "$scratch/log"
finish
