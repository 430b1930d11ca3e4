# SPDX-License-Identifier: MIT
# Goal: runs that must be red.  Flow: only check_run.sh hands this file to run.sh.

test_broken_not_at_all() {
	:
}

test_broken_fails() {
	fail "on purpose"
}

test_broken_command_not_found() {
	this_command_does_not_exist
}

test_broken_skips() {
	skip "on purpose"
}

test_broken_leaves_something_behind() {
	defer false
}

test_broken_takes_too_long() {
	sleep 300
}

# The result of the test before it is gone.
test_broken_loses_a_result() {
	sed -i '$d' /out/results
}

test_broken_panics() {
	echo c >/proc/sysrq-trigger
	sleep 60
}

test_broken_switches_off() {
	echo o >/proc/sysrq-trigger
	sleep 60
}

# More than check_run.sh gives the machine.
test_broken_hangs_the_machine() {
	sleep 3000
}

test_broken_is_for_a_later_kernel() {
	needs_kernel 99.0
}
