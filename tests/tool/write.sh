# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
# Goal: write puts exactly the given bytes at the given place, untorn, or says why not and leaves the
# old bytes.
# Method and helpers: run.sh, which sources this file.

fresh() { # a file with known bytes, its copy, and data to write
	page=$xfs/page data=$work/data
	head -c 256k /dev/urandom >"$page"
	cp "$page" "$work/old"
	head -c "${1:-16k}" /dev/urandom >"$data"
	sync -f "$page"
}
unchanged() { same "$page" "$work/old"; }
refuses() { # PATTERN ARGUMENTS...: status 1, one sentence, old bytes
	local pattern=$1
	shift
	expect 1 "$tool" write "$page" "$@" <"$data"
	one_sentence
	says "not written: .*$pattern"
	unchanged
}
complains() { # the same for errors: status 2
	local pattern=$1
	shift
	expect 2 "$tool" write "$page" "$@" <"$data"
	one_sentence
	says "$pattern"
	unchanged
}
writes() { expect 0 "$tool" write "$page" "$@" <"$data"; }

write_puts_the_bytes_there_and_nowhere_else() {
	fresh 16k
	writes --offset 32k
	prints "^$page: wrote 16k at 32768 untorn, by the filesystem$"
	dd if="$data" of="$work/old" bs=16k seek=2 conv=notrunc status=none
	unchanged
}
write_takes_every_unit() {
	local size max
	"$tool" probe --json "$xfs" >"$out"
	max=$(jq '.[0].direct.unit_max' "$out")
	size=$(jq '.[0].direct.unit_min' "$out")
	if [ "$size" -le 0 ] || [ "$max" -le "$size" ]; then
		note "units $size to $max"
	fi
	for (( ; size <= max && size > 0; size *= 2)); do
		fresh "$size"
		writes --offset "$size" --dsync
		holds "$page" "$size" "$size" "$data"
	done
	rm -f "$page"
}
write_is_one_rwf_atomic_call() {
	fresh 16k
	expect 0 strace -o "$work/trace" -e trace=pwritev2,write,pwrite64,pwritev \
		"$tool" write "$page" --offset 0 --length 16k <"$data"
	[ "$(grep -cE 'pwritev2\(.*= 16384' "$work/trace")" -eq 1 ] || note 'not one write of 16384'
	grep -E 'pwritev2\(.*= 16384' "$work/trace" | grep -qE 'RWF_ATOMIC|0x[0-9a-f]*[4567c-f][0-9a-f]( |\)|,)' ||
		note "no RWF_ATOMIC: $(cat "$work/trace")"
	grep -qE '(pwrite64|pwritev)\(' "$work/trace" && note 'another kind of write'
	expect 0 strace -o "$work/trace" -e trace=pwritev2 \
		"$tool" write "$page" --offset 0 --length 16k --dsync <"$data"
	grep -E '= 16384' "$work/trace" | grep -q 'RWF_DSYNC' || note '--dsync sets no RWF_DSYNC'
}
offset_that_is_no_multiple_of_the_length_is_refused() { fresh 16k; refuses 'offset 4096' --offset 4k; }
length_that_is_no_power_of_two_is_refused() {
	fresh 12k
	refuses '12k' --offset 0
	refuses '12k' --offset 0 --length 12k
}
length_below_and_above_the_units_is_refused() {
	fresh 16k
	refuses '512 at' --offset 0 --length 512
	refuses '1G at' --offset 0 --length 1G
}
refusal_comes_before_stdin_is_read() {
	fresh 16k
	expect 1 timeout 5 "$tool" write "$page" --offset 1 --length 4k < <(sleep 8)
	unchanged
}
short_stdin_is_refused_and_writes_nothing() {
	fresh 12k
	complains 'ended after 12288 of 16384' --offset 0 --length 16k
}
empty_stdin_is_refused() { fresh 0; complains 'is empty' --offset 0; }
closed_stream_never_becomes_the_file() {
	fresh
	expect 2 sh -c '"$@" <&-' sh "$tool" write "$page" --offset 0
	one_sentence
	unchanged
	expect 5 sh -c '"$@" >&-' sh "$tool" write "$page" --offset 0 --length 16k <"$data"
	expect 1 sh -c '"$@" 2>&-' sh "$tool" write "$page" --offset 1 --length 16k <"$data"
	[ "$(stat -c %s "$page")" -eq 262144 ] || note "size $(stat -c %s "$page")"
	holds "$page" 16384 245760 <(tail -c 245760 "$work/old")
}
write_that_cannot_be_told_says_that_it_was_made() {
	local output
	# The last one is a pipe whose reader has gone before the write.
	for output in '>&-' '>/dev/full' '> >(exit 0)'; do
		fresh 16k
		expect 5 bash -c '{ sleep 0.3; cat "$1"; } |
			"$0" write "$2" --offset 16k --length 16k --dsync '"$output" "$tool" "$data" "$page"
		one_sentence
		says "^atomicio: $page: the page was written, durably; the standard output failed: "
		holds "$page" 16384 16384 "$data"
	done
	# A refusal stays one.
	expect 1 bash -c '"$0" write "$1" --offset 1 --length 16k >&-' "$tool" "$page"
}
more_stdin_than_the_largest_unit_is_refused() {
	fresh
	expect 2 sh -c 'head -c 300M /dev/zero | "$@"' sh "$tool" write "$page" --offset 0
	one_sentence
	says 'has more than .* --length'
	unchanged
}
length_leaves_the_rest_of_stdin_for_the_next() {
	fresh 32k
	expect 0 sh -c '{ "$0" write "$1" --offset 0 --length 16k &&
		"$0" write "$1" --offset 16k --length 16k; } <"$2"' "$tool" "$page" "$data"
	holds "$page" 0 32768 "$data"
}
stdin_may_come_in_pieces() {
	fresh 16k
	expect 0 sh -c '{ head -c 5000; sleep 0.2; cat; } <"$0" | "$@"' "$data" \
		"$tool" write "$page" --offset 0
	holds "$page" 0 16384 "$data"
}
numbers_are_read_whole_or_refused() {
	local bad
	fresh 16k
	for bad in '' -1 +1 4q 4kk 0x10 1e3 ' 4' k 18446744073709551616 17179869184G 9223372036854775808; do
		complains "--offset .* is no position: type" --offset "$bad"
	done
	for bad in '' 0 0k 16kB 20000000000000G; do
		complains "--length .* is no length: type" --offset 0 --length "$bad"
	done
	writes --offset 0K --length 16384
	holds "$page" 0 16384 "$data"
}
offset_must_be_given() { fresh 16k; complains 'type --offset 0'; }
absent_file_is_not_made() {
	fresh 16k
	expect 2 "$tool" write "$xfs/absent" --offset 0 <"$data"
	one_sentence
	says 'No such file.*make the file first'
	[ ! -e "$xfs/absent" ] || note 'it was made'
}
directory_is_no_place_to_write() {
	fresh 16k
	expect 2 "$tool" write "$xfs" --offset 0 <"$data"
	one_sentence
	says 'is a directory: name a file'
}
write_past_the_end_grows_the_file() {
	fresh 16k
	truncate -s 0 "$page"
	writes --offset 16k
	[ "$(stat -c %s "$page")" -eq 32768 ] || note "size $(stat -c %s "$page")"
	holds "$page" 16384 16384 "$data"
}
file_that_cannot_is_refused_and_unchanged() {
	fresh 16k
	cp "$work/old" "$shm/page"
	page=$shm/page
	refuses 'type atomicio doctor' --offset 0
}
read_only_user_cannot_write() {
	fresh 16k
	chmod 444 "$page"
	expect 2 "${as_nobody[@]}" "$tool" write "$page" --offset 0 <"$data"
	one_sentence
	says 'Permission denied: use sudo'
	unchanged
}
device_error_says_what_is_on_disk() {
	# Every second call: after an error the library asks with an empty one whether pwritev2 is refused.
	fresh 16k
	expect 2 strace -o "$work/trace" -e trace=pwritev2 -e inject=pwritev2:error=EIO:when=2+2 \
		"$tool" write "$page" --offset 0 --length 16k <"$data"
	one_sentence
	says 'failed \(media\): Input/output error.*all old or all new'
	expect 2 strace -o "$work/trace" -e trace=pwritev2 -e inject=pwritev2:error=ENOSPC:when=2+2 \
		"$tool" write "$page" --offset 0 --length 16k <"$data"
	one_sentence
	says 'failed \(space\): No space left.*the old bytes are in place'
	unchanged
}
torn_write_is_never_called_done() {
	fresh 16k
	expect 2 strace -o "$work/trace" -e trace=pwritev2 -e inject=pwritev2:retval=4096:when=2+ \
		"$tool" write "$page" --offset 0 --length 16k <"$data"
	one_sentence
	says 'failed \(broken\).*may be torn'
	[ ! -s "$out" ] || note "stdout: $(cat "$out")"
}
for name in write_puts_the_bytes_there_and_nowhere_else write_takes_every_unit \
	offset_that_is_no_multiple_of_the_length_is_refused length_that_is_no_power_of_two_is_refused \
	length_below_and_above_the_units_is_refused refusal_comes_before_stdin_is_read \
	short_stdin_is_refused_and_writes_nothing empty_stdin_is_refused closed_stream_never_becomes_the_file \
	write_that_cannot_be_told_says_that_it_was_made \
	more_stdin_than_the_largest_unit_is_refused length_leaves_the_rest_of_stdin_for_the_next \
	stdin_may_come_in_pieces numbers_are_read_whole_or_refused offset_must_be_given \
	absent_file_is_not_made directory_is_no_place_to_write write_past_the_end_grows_the_file; do
	try "$name" xfs
done
try write_is_one_rwf_atomic_call xfs strace
try file_that_cannot_is_refused_and_unchanged xfs tmpfs
try read_only_user_cannot_write xfs nobody
try device_error_says_what_is_on_disk xfs strace
try torn_write_is_never_called_done xfs strace
