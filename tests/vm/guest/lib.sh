# SPDX-License-Identifier: MIT
# What every guest test uses: verdicts, facts, undoing, and counting commands on the wire.
# Flow: guest/one reads it, then devices.sh, then the test's script.
#
# G1 a test ends at its first wrong thing: fail.  A skip names what is missing.
# G2 what a test made, it hands to defer, and it is undone in reverse order however it ends.

fail() {
	echo "fail: $*"
	exit 1
}

skip() {
	echo "skip: $*"
	exit 77
}

deferred=()
defer() {
	deferred+=("$*")
}
undo_all() {
	local status=$? index
	trap - EXIT
	for ((index = ${#deferred[@]} - 1; index >= 0; index--)); do
		(eval "${deferred[index]}") && continue
		echo "fail: not undone: ${deferred[index]}"
		status=1
	done
	exit $status
}
trap undo_all EXIT
trap 'exit 124' TERM

must() {
	"$@" || fail "command failed: $*"
}

modprobe() {
	/run/modprobe "$@"
}

# kernel_is_at_least 6.16: true on it and after.
kernel_is_at_least() {
	[ "$(printf '%s\n' "$1" "$(uname -r | sed 's/[-+].*//')" | sort -V | head -n 1)" = "$1" ]
}
needs_kernel() {
	kernel_is_at_least "$1" || skip "kernel $1 or later only, this is $(uname -r)"
}

# A line for the record: facts of the three kernels side by side are what the kernel page rests on.
fact() {
	echo "fact: $*"
	echo "$name: $*" >>/out/facts
}

# value KEY LINE: the value of KEY=value in a line of facts.
value() {
	sed -n "s/^\(.* \)\{0,1\}$1=\([^ ]*\).*/\2/p" <<<"$2"
}

# expect KEY VALUE LINE: the fact that the test is about.
expect() {
	local seen
	seen=$(value "$1" "$3")
	[[ $seen == $2 ]] || fail "$1 is $seen, not $2, in: $3"
}

raw() {
	"$VM_BIN/raw" "$@"
}

# raw_fact LABEL COMMAND...: run it, keep its line in $line and in the record.
raw_fact() {
	local label=$1
	shift
	line=$(raw "$@") || fail "raw $*: $line"
	fact "$label: $line"
}

# Commands on the wire, from tracing: trace_writes scsi|nvme, then the writes, then
# trace_count KIND [BYTES], where KIND is atomic (WRITE ATOMIC), write (every other write), any.
tracing=/sys/kernel/tracing
trace_writes() {
	trace_kind=$1
	echo 0 >$tracing/tracing_on
	echo nop >$tracing/current_tracer
	echo 16384 >$tracing/buffer_size_kb
	if [ "$1" = scsi ]; then
		trace_event=$tracing/events/scsi/scsi_dispatch_cmd_start
		# WRITE(10), WRITE(16), WRITE ATOMIC(16)
		echo 'opcode == 0x2a || opcode == 0x8a || opcode == 0x9c' >$trace_event/filter
	else
		trace_event=$tracing/events/nvme/nvme_setup_cmd
		echo 'opcode == 1 && qid != 0' >$trace_event/filter
	fi
	: >$tracing/trace
	must eval "echo 1 >$trace_event/enable"
	echo 1 >$tracing/tracing_on
	defer trace_stop
}
trace_stop() {
	echo 0 >$tracing/tracing_on
	echo 0 >$trace_event/enable
	echo 0 >$trace_event/filter
}
# Lines: opcode first-block blocks.
trace_list() {
	grep -q 'LOST' $tracing/trace && fail "the trace lost events"
	if [ "$trace_kind" = scsi ]; then
		sed -n 's/.*raw=\(..\) .. \(.*\)).*/\1 \2/p' $tracing/trace | while read -r op bytes; do
			set -- $bytes
			case $op in
			2a) echo "write $((0x$1$2$3$4)) $((0x$6$7))" ;;
			8a) echo "write $((0x$1$2$3$4$5$6$7$8)) $((0x$9${10}${11}${12}))" ;;
			9c) echo "atomic $((0x$1$2$3$4$5$6$7$8)) $((0x${11}${12}))" ;;
			esac
		done
	else
		sed -n 's/.*slba=\([0-9]*\), len=\([0-9]*\).*/write \1 \2/p' $tracing/trace |
			while read -r op first last; do
				echo "$op $first $((last + 1))"
			done
	fi
}
trace_count() {
	trace_list | awk -v kind="$1" '(kind == "any" || $1 == kind) {n++} END {print n + 0}'
}

# since KERNEL MIN MAX [BOUNDARY]: these on it and after, 0 0 before.
since() {
	if kernel_is_at_least "$1"; then
		shift
		echo "$*"
	else
		echo 0 0
	fi
}
