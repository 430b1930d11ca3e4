#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# strace shows RWF_ATOMIC in the flags of every write the library calls untorn, and one call each.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs strace
strace -o /dev/null true 2>/dev/null || kernel_skip "strace cannot trace here"
kernel_mount xfs xfs -m reflink=1 || exit 1
log=$kernel_scratch/log
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" LSAN_OPTIONS=detect_leaks=0

strace -o "$log" -e raw=pwritev2 "$KERNEL_BIN/trace" "$kernel_scratch/xfs" \
	>"$kernel_scratch/out" 2>&1 || kernel_failures=1
grep -v '^[=~]' "$kernel_scratch/out"

# All calls between two markers, one line a write.
awk '/^getppid\(/ { inside = !inside; if (!inside) print ""; next }
	inside { printf "%s; ", $0 }' "$log" >"$kernel_scratch/calls"
# The kernel reads 32 bits of the flags; those above may hold anything.
sed -Ei 's/, 0x[0-9a-f]+([0-9a-f]{8}\) =)/, 0x\1/; s/, 0x0+([0-9a-f]+\) =)/, 0x\1/' \
	"$kernel_scratch/calls"
# pwritev2(FD, VECTOR, COUNT, LOW, HIGH, FLAGS) = RESULT, in hexadecimal
call='pwritev2\([^,]*, [^,]*, 0x1, [^,]*, [^,]*, (0x[0-9a-f]+)\) = (0x[0-9a-f]+); '
sed -nE "s/^$call\$/= \\1 \\2/p; t; /pwritev2.*pwritev2/! s/.*$call.*/~ \\1 \\2/p; t; s/^/not one pwritev2: /p" \
	"$kernel_scratch/calls" >"$kernel_scratch/seen"
grep '^[=~]' "$kernel_scratch/out" >"$kernel_scratch/wanted"
diff "$kernel_scratch/wanted" "$kernel_scratch/seen" >"$kernel_scratch/diff"
status=$?
sed 's/^/# /' "$kernel_scratch/diff"
[ -s "$kernel_scratch/wanted" ] || status=1
echo "# $(wc -l <"$kernel_scratch/seen") writes traced"
kernel_report $status rwf_atomic_is_in_the_flags_of_every_untorn_write_and_nothing_else_is_called
kernel_finish
