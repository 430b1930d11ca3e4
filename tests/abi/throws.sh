#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: a C++ policy that throws costs its own call and its queue, as atomicio_policy(3) says.
#
# Method: a C++ program on the built library, with a file that takes no untorn write: each write asks
# the policy.  tests/unit/write_left.c has the same with longjmp(3), on every path.
set -u
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"
name=a_policy_that_throws_costs_its_queue_alone
cxx=${CXX:-g++}
skip() {
	echo "ok - $name # SKIP $1"
	exit 0
}
command -v "$cxx" >/dev/null || skip "$cxx is missing"
# The processor alone: clang and gcc name the rest of the same machine differently.
processor=$("$cxx" -dumpmachine)
[[ $(${CC:-cc} -dumpmachine) = "${processor%%-*}"-* ]] || skip "$cxx builds for another machine"
! grep -qE '^ATOMICIO_(SANITIZE:STRING=.|COVERAGE:BOOL=ON)' "$build/CMakeCache.txt" ||
	skip "an instrumented library needs its runtime, too"

cat >"$scratch/throws.cc" <<'C'
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <libatomicio/atomicio.h>
#include <libatomicio/uring.h>
#include <pthread.h>
static bool leaves = true;
static uint32_t leave(void *, const struct atomicio_failure *)
{
	if (leaves)
		throw 7;
	return ATOMICIO_FAIL;
}
template <typename F> static bool throws(F call)
{
	try {
		call();
	} catch (int) {
		return true;
	}
	return false;
}
int main(int, char **argv)
{
	const int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	struct atomicio_options options = {};
	struct atomicio_op op = {};
	struct atomicio_queue *queue, *other;
	struct atomicio_file *file;
	int before;

	options.policy = leave;
	if (atomicio_open(fd, &options, sizeof(options), &file) ||
	    atomicio_queue_create(4, &queue) || atomicio_queue_create(4, &other))
		return 1;
	op.file = file;
	op.buffer = aligned_alloc(4096, 16384);
	op.length = 16384;
	if (!throws([&] { atomicio_write_batch(queue, &op, 1, 0); }))
		return 2;
	if (atomicio_write_batch(queue, &op, 1, 0) != -EBUSY)
		return 3;
	if (!throws([&] { atomicio_write(file, op.buffer, 16384, 0, 0); }))
		return 4;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
	if (before != PTHREAD_CANCEL_DISABLE)
		return 5;
	leaves = false;
	if (atomicio_write_batch(other, &op, 1, 0) == -EBUSY || atomicio_sync(file))
		return 6;
	atomicio_queue_destroy(queue);
	atomicio_queue_destroy(other);
	return atomicio_close(file) ? 7 : 0;
}
C
"$cxx" -Wall -Wextra -Werror -I "$root/include" -o "$scratch/throws" "$scratch/throws.cc" \
	-L"$build" -latomicio "-Wl,-rpath,$build" -pthread >"$scratch/log" 2>&1
report $? a_policy_in_cpp_builds "$scratch/log"
timeout 20 "$scratch/throws" "$scratch/file" >"$scratch/log" 2>&1
status=$?
[ $status != 134 ] || skip "this build has no unwind tables: std::terminate() ends the program"
echo "step $status" >>"$scratch/log"
[ $status = 0 ]
report $? $name "$scratch/log"
finish
