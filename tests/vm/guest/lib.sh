# SPDX-License-Identifier: MIT
# Shared by every guest test: verdicts, facts, undoing, and counting commands on the wire.
# Flow: guest/one reads this file, then devices.sh, then the test's script.
#
# VG1 a test ends at the first fault: fail.  A skip names the missing thing.
# VG2 a test hands everything it made to defer, which undoes all in reverse order after any end.

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

# kernel_is_at_least 6.16: true on it and after.  No processes here: under emulation each one costs.
read -r release </proc/sys/kernel/osrelease
kernel_is_at_least() {
	local here=${release#*.}
	((${release%%.*} * 1000 + ${here%%[!0-9]*} >= ${1%%.*} * 1000 + ${1#*.}))
}
# The first line of a test: run.sh reads it too, and plans the test only where it holds.
needs_kernel() {
	kernel_is_at_least "$1" || fail "kernel $1 or later only, this is $release"
}

# A line for the record: facts of the three kernels side by side are what the kernel page rests on.
fact() {
	echo "fact: $*"
	echo "$name: $*" >>/out/facts
}

# value KEY LINE: the value of KEY=value in a line of facts.
value() {
	get "$1" "$2"
	echo "$got"
}
get() {
	got=""
	[[ " $2" =~ \ $1=([^ ]*) ]] && got=${BASH_REMATCH[1]}
}

# expect KEY VALUE LINE: the fact that the test is about.
expect() {
	get "$1" "$3"
	[[ $got == $2 ]] || fail "$1 is $got, not $2, in: $3"
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

# Commands on the wire, from tracing: trace_writes scsi|nvme, then the writes, then trace_list or
# trace_count, where `atomic` is WRITE ATOMIC and `write` any other write.
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
# Lines: KIND FIRST-BLOCK BLOCKS.
trace_list() {
	grep -q LOST $tracing/trace && fail "the trace lost events"
	awk '
	function digit(c) {
		return index("0123456789abcdef", c) - 1
	}
	function number(from, to,	value, i) {
		value = 0
		for (i = from; i <= to; i++)
			value = value * 256 + digit(substr(b[i], 1, 1)) * 16 + digit(substr(b[i], 2, 1))
		return value
	}
	match($0, /raw=[0-9a-f ]*/) {
		split(substr($0, RSTART + 4, RLENGTH - 4), b, " ")
		if (b[1] == "2a") print "write", number(3, 6), number(8, 9)
		if (b[1] == "8a") print "write", number(3, 10), number(11, 14)
		if (b[1] == "9c") print "atomic", number(3, 10), number(13, 14)
	}
	match($0, /slba=[0-9]*, len=[0-9]*/) {
		split(substr($0, RSTART, RLENGTH), b, /[=,]/)
		print "write", b[2], b[4] + 1
	}' $tracing/trace
}
# trace_count atomic|write|any
trace_count() {
	local pattern
	grep -q LOST $tracing/trace && fail "the trace lost events"
	case $1 in
	atomic) pattern='raw=9c' ;;
	write) pattern='raw=[28]a|slba=' ;;
	any) pattern='raw=|slba=' ;;
	esac
	grep -c -E "$pattern" $tracing/trace
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
