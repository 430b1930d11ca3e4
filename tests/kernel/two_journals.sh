#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: a change over two journals, made as the manual says (examples/two_journals.c), is there wholly
# or not at all after an error, a kill and a power cut at every step.
#
# Method: strace fails, or kills at, each write of a change in turn; atomicio crash cuts the power. The
# next start has to find what was acknowledged, and nothing half there.  The controls are the example
# without one step, or with its steps in another order: each is caught.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.ext4
kernel_mount ext4 ext4 || exit 1
example=$KERNEL_BIN/../../examples/two_journals
tool=$KERNEL_BIN/../../tools/atomicio
[ -x "$example" ] || kernel_skip "the examples were not built"
left=$kernel_scratch/ext4/left
right=$kernel_scratch/ext4/right

# whole NUMBER VISITS: the next start finds at least so much, and goes on
whole() {
	local -a found
	"$example" "$left" "$right" 1 >"$kernel_scratch/out" 2>&1 || return
	read -ra found < <(sed -nE 's/^left -([0-9]+), right ([0-9]+), visits ([0-9]+)$/\1 \2 \3/p' \
		"$kernel_scratch/out")
	[ "${#found[@]}" = 3 ] && [ "${found[0]}" = "${found[1]}" ] && [ "${found[0]}" -gt "$1" ] &&
		[ "${found[2]}" -gt "$2" ]
}

# at INJECTION WHEN: at that call of the second change; $carried_out counts the starts that had to
at() {
	local acknowledged status
	rm -f "$left"* "$right"*
	"$example" "$left" "$right" 1 >/dev/null || return
	{ # whose end the shell tells
		strace -f -o /dev/null -e trace=pwritev2 -e inject="pwritev2:$1:when=$2" "$example" \
			"$left" "$right" 2 >"$kernel_scratch/said"
	} 2>/dev/null
	status=$?
	[ $status != 0 ] || return 3 # it has not met the call
	acknowledged=$(grep -c '^ACK 0' "$kernel_scratch/said")
	whole $((1 + acknowledged)) $((1 + $(grep -c '^ACK 1' "$kernel_scratch/said"))) || return
	grep -q 'carried out now' "$kernel_scratch/out" && carried_out=$((carried_out + 1))
	return 0
}
if strace -o /dev/null true 2>/dev/null; then
	# Two writes open the journals, three ask the files; then two headers, the frame, two homes;
	# two headers, the frame, the home; the frame and the home of the mark; and a visit.
	for what in signal=KILL error=EIO; do
		carried_out=0
		for when in $(seq 6 18); do
			at $what "$when"
			kernel_report $? "a_change_is_whole_after_${what#*=}_at_write_$when"
		done
		[ "$carried_out" -ge 4 ]
		kernel_report $? "and_the_redo_file_was_needed_after_${what#*=}"
	done
fi

# check PROGRAM: the check of atomicio crash: each key's number is one that the lines allow
cat >"$kernel_scratch/check" <<'END'
#!/usr/bin/env bash
out=$("$1" "$2/left" "$2/right" 0 2>&1) || { echo "$out"; exit 1; }
echo "$out" >>"$3"
found=($(sed -nE 's/^left -?([0-9]+), right ([0-9]+), visits ([0-9]+)$/\2 \3/p' <<<"$out"))
least=(0 0) most=(0 0)
while read -r word key number; do
	[ "$word" != ACK ] || least[key]=$number
	[ "${most[key]}" -ge "$number" ] || most[key]=$number
done
for key in 0 1; do
	[ "${found[key]}" -ge "${least[key]}" ] && [ "${found[key]}" -le "${most[key]}" ] || {
		echo "key $key has number ${found[key]}; allowed: ${least[key]} to ${most[key]}"
		exit 1
	}
done
END
# cut FILESYSTEM PROGRAM CUTS
cut() {
	local words=(--fs "$1")
	[ "$1" != xfs ] || words+=(--sector 4096)
	timeout -k 10 100 "$tool" crash run "${words[@]}" --keep "$kernel_scratch" --seed 20261127 \
		--cuts "$3" --pause --size 300M --work "$2 {}/left {}/right 100000000" \
		--check "bash $kernel_scratch/check $2 {} $kernel_scratch/words" >"$kernel_scratch/out" 2>&1
}
if [ ! -w /dev/fuse ] || [ ! -x "$KERNEL_BIN/../../tools/crash/atomicio-crash" ]; then
	echo "ok - power_cuts # SKIP needs /dev/fuse and libfuse3"
	kernel_finish
	exit
fi
for fs in ext4 xfs; do
	kernel_has $fs || continue
	: >"$kernel_scratch/words"
	cut $fs "$example" 60
	status=$?
	sed 's/^/# /' "$kernel_scratch/out"
	kernel_report $status "a_change_is_whole_after_power_cuts_of_$fs"
	needed=$(grep -c 'carried out now' "$kernel_scratch/words")
	echo "# the redo file was needed $needed times"
	[ "$needed" -ge 5 ]
	kernel_report $? "and_the_redo_file_was_needed_on_$fs"
done
for broken in no_mark cleared_first carried_out_first not_finished never_cleared; do
	cut ext4 "$KERNEL_BIN/two_journals_$broken" 200
	[ $? = 1 ] && grep -q ' is bad ' "$kernel_scratch/out"
	kernel_report $? "it_is_not_with_a_redo_file_that_is_$broken"
done
kernel_finish
