#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Untorn writes by the library and by fio, in turn, to one file of XFS with its image in memory: 16 KiB
# at random offsets, not durable; atomicio_write() against ioengine pvsync2, the queue against io_uring, both 32 deep.
#
#	tests/bench/peers.sh [--seconds S] [--rounds N] [--json FILE]
#
# BP1 fio 3.39 or newer: earlier releases accept the option `atomic` and ignore it.  fio comes from
#    Debian trixie, unpacked under build/ and never installed, unless ATOMICIO_FIO names a program.
# BP2 fio must prove that it asks for untorn writes: pvsync2 by its system calls, both engines by
#    their failure on ext4 over a disk without atomic writes.
set -u
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
bench_options "$@"

[ "$bench_rounds" -le 9 ] || bench_rounds=9
slice=$(awk -v s="$bench_seconds" 'BEGIN { print s < 4 ? s / 4 : 1 }')
length=16384
depth=32
cache=$BENCH_HERE/../../build/vm
kernel_begin strace jq mkfs.xfs mkfs.ext4
file=$kernel_scratch/home/file

# fetched: an fio of our own, or a sentence why not
fetched() {
	local root=$cache/fio libraries
	bench_says "fetching fio"
	"$BENCH_HERE/../vm/host/fetch.sh" "$cache" fio >"$kernel_scratch/log" 2>&1 ||
		kernel_skip "no fio to compare with: $(tail -n 1 "$kernel_scratch/log")"
	root=$(cd "$root" && pwd)
	libraries=$root/usr/lib/x86_64-linux-gnu
	fio=("$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libraries:$libraries/ceph"
		"$root/usr/bin/fio")
}
if [ -n "${ATOMICIO_FIO:-}" ]; then fio=("$ATOMICIO_FIO"); else fetched; fi
version=$("${fio[@]}" --version) || exit 1
[ "$(printf '%s\n' fio-3.39 "$version" | sort -V | head -n 1)" = fio-3.39 ] ||
	kernel_skip "$version ignores the option atomic: 3.39 does not"

# job ENGINE OPTION...: fio's report
job() {
	local engine=$1
	shift
	[ "$engine" = pvsync2 ] || set -- --iodepth=$depth "$@"
	"${fio[@]}" --name=peer --filename="$file" --size=8M --direct=1 --rw=randwrite \
		--bs=$length --norandommap --thread --atomic=1 --ioengine="$engine" \
		--output-format=json "$@" 2>"$kernel_scratch/log"
}

# The file that both sides write to.
fill() {
	dd if=/dev/zero of="$file" bs=1M count=8 oflag=direct status=none || exit 1
}

bench_fresh ext4
fill
for engine in pvsync2 io_uring; do
	# Without `atomic` it must be able to.
	job $engine --atomic=0 --number_ios=4 >"$kernel_scratch/report" &&
		! job $engine --number_ios=4 >"$kernel_scratch/report"
	kernel_report $? "fio_${engine}_fails_where_no_write_is_untorn"
done

bench_fast
file=$kernel_scratch/fast/file
fill
strace -f -e trace=pwritev2 -o "$kernel_scratch/calls" "${fio[@]}" --name=peer --filename="$file" \
	--size=8M --direct=1 --rw=randwrite --bs=$length --atomic=1 --ioengine=pvsync2 --number_ios=8 \
	>"$kernel_scratch/log" 2>&1
# Older releases of strace print the flag as its number.
[ "$(grep -cE 'RWF_ATOMIC|, 0x40 ' "$kernel_scratch/calls")" -ge 8 ]
kernel_report $? "fio_pvsync2_passes_RWF_ATOMIC"

# of_library and of_fio ENGINE: writes a second
of_library() {
	case $1 in
	pvsync2) "$BENCH_BIN/hotpath" "$file" library $length "$slice" ;;
	io_uring) "$BENCH_BIN/queue" "$file" library $length $depth "$slice" ;;
	esac
}
of_fio() {
	job "$1" --time_based --runtime="$(awk -v s="$slice" 'BEGIN { print int(s * 1000) "ms" }')" |
		jq '.jobs[0].write.iops'
}

for engine in pvsync2 io_uring; do
	bench_says "$engine"
	: >"$kernel_scratch/rates"
	for round in $(seq "$bench_rounds"); do
		# Who comes first finds the file as the other has left it.
		if [ $((round % 2)) = 0 ]; then
			other=$(of_fio $engine)
			library=$(of_library $engine)
		else
			library=$(of_library $engine)
			other=$(of_fio $engine)
		fi
		echo "$library $other" >>"$kernel_scratch/rates"
	done
	read -r library other ratio < <(awk '{ print $1, $2, $1 / $2 }' "$kernel_scratch/rates" |
		sort -n -k 3 | sed -n "$(((bench_rounds + 1) / 2))p")
	echo "# $engine: $library writes a second by the library, $other by $version: $ratio"
	what="atomicio_write, 16 KiB, image in memory / $version pvsync2"
	[ $engine = pvsync2 ] || what="queue of $depth writes of 16 KiB, image in memory / $version io_uring"
	bench_figure xfs "$what" "$ratio" x
	[ -n "$ratio" ]
	kernel_report $? "the_library_is_measured_against_fio_$engine"
done
kernel_finish
