/* SPDX-License-Identifier: MIT */
/*
 * Goal: the short way of atomicio_write() accepts exactly the writes that the long way accepts
 * (of those whose buffer is aligned to the block), and hands the kernel the same call.
 * Method: random limits and writes, biased to the bounds.  A handle with empty `limits` can write
 * by the short way only, a handle with empty `fast` limits by the long way only.  The answers of
 * the two handles are compared with the checks themselves.
 */
#include <check.h>
#include <inttypes.h>

#include "check_run.h"
#include "write_machine.h"

#define ROUNDS 100000

static uint64_t state = 1;

static uint64_t random_bits(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_bits() >> 32) % n);
}

struct call {
	int fd, flags, count;
	uint64_t offset, length;
	const void *buffer;
	uint32_t made;
};

static struct call last;

static ssize_t record(int fd, const struct iovec *vector, int count, uint64_t offset, int flags)
{
	last = (struct call){fd,	   flags, count, offset, vector->iov_len, vector->iov_base,
			     last.made + 1};
	return (ssize_t)vector->iov_len;
}

/* Around a power of two, or anything. */
static uint64_t random_length(void)
{
	const uint64_t base = UINT64_C(1) << random_below(12 + random_below(52));

	switch (random_below(8)) {
	case 0:
		return base - 1;
	case 1:
		return base + 1;
	case 2:
		return random_bits();
	default:
		return UINT64_C(512) << random_below(12);
	}
}

static uint64_t random_offset(uint64_t length)
{
	const uint64_t multiple = length * random_below(1000);

	switch (random_below(8)) {
	case 0:
		return random_bits();
	case 1:
		return multiple + (UINT64_C(1) << random_below(20));
	case 2:
		return (uint64_t)INT64_MAX - length + random_below(3) - 1;
	case 3: /* the last multiple before the end of offsets, and the next */
		return length ? ((uint64_t)INT64_MAX / length - random_below(2)) * length : 0;
	case 4:
		return (UINT64_C(1) << 63) - length * random_below(3);
	default:
		return multiple;
	}
}

static void random_write(struct write_request *write)
{
	static const uint32_t flags[] = {0, 1, 2, 3, 0, 1, 2, 3, 4, 8, 0x80000001u};

	write->length = random_length();
	write->offset = random_offset(write->length);
	write->flags = flags[random_below(11)];
	write->buffer =
		random_below(50) ? page + (random_below(4) ? 0 : 1u << random_below(12)) : NULL;
}

static void random_limits(struct atomicio_file *file)
{
	const uint32_t low = 9 + random_below(4); /* with more, open makes nothing hot */

	file->limits.unit_min = 1u << low;
	file->limits.unit_max = random_below(20) ? 1u << (low + random_below(32 - low)) : 0;
	if (file->limits.unit_max == 0)
		file->limits.unit_min = 0;
	file->limits.memory_align = 1u << random_below(13);
	file->unit_max_hw = random_below(2) ? file->limits.unit_max : 0;
}

static uint32_t calls_of(struct atomicio_file *file, const struct write_request *write,
			 struct call *call)
{
	last.made = 0;
	(void)atomicio_write(file, write->buffer, write->length, write->offset, write->flags);
	*call = last;
	return last.made;
}

static bool same_call(const struct call *a, const struct call *b)
{
	return a->fd == b->fd && a->flags == b->flags && a->count == b->count &&
	       a->offset == b->offset && a->length == b->length && a->buffer == b->buffer;
}

/* One file goes both ways, one only the short way, one only the long way. */
static void random_files(struct atomicio_file *whole, struct atomicio_file *hot,
			 struct atomicio_file *cold)
{
	random_limits(whole);
	whole->fast = whole->limits;
	/* as open does */
	if (whole->fast.memory_align < whole->fast.unit_min)
		whole->fast.memory_align = whole->fast.unit_min;
	if (whole->fast.unit_max == 0)
		whole->fast.unit_min = 1;
	whole->poisoned = random_below(20) == 0;
	hot->fast = whole->fast;
	hot->limits = (struct write_limits){.memory_align = 1};
	cold->fast = (struct write_limits){.unit_min = 1, .memory_align = 1};
	cold->limits = whole->limits;
	hot->poisoned = cold->poisoned = whole->poisoned;
}

START_TEST(the_short_way_and_the_long_way_accept_the_same_writes)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict};
	struct atomicio_file *whole = machine_open(&options);
	struct atomicio_file *hot = machine_open(&options);
	struct atomicio_file *cold = machine_open(&options);
	uint32_t accepted = 0;

	fake.pwritev2 = record;
	for (int i = 0; i < ROUNDS; i++) {
		struct write_request write = {.file = whole};
		struct write_outcome ignored;
		struct call by_hot, by_cold, by_whole;
		uint32_t expected, by_short;

		random_files(whole, hot, cold);
		random_write(&write);

		expected = !whole->poisoned &&
			   !write_misuse(write.buffer, write.length, write.offset, write.flags,
					 WRITE_KNOWN_FLAGS) &&
			   write_precheck(&write, &ignored);
		accepted += expected;
		/* Not aligned to the block, or a flag for the journal: the long way's. */
		by_short = expected && !(write.flags & ATOMICIO_BEHIND) &&
			   ((uintptr_t)write.buffer & (whole->fast.memory_align - 1)) == 0;
		/* No assertion where all is well: each writes to a pipe. */
		if (calls_of(hot, &write, &by_hot) != by_short ||
		    calls_of(cold, &write, &by_cold) != expected ||
		    calls_of(whole, &write, &by_whole) != expected ||
		    (by_short && !same_call(&by_hot, &by_cold)) ||
		    (expected && (!same_call(&by_cold, &by_whole) ||
				  atomicio_check(whole, write.buffer, write.length, write.offset))))
			ck_abort_msg("length %#" PRIx64 " offset %#" PRIx64
				     " flags %#x expected %u",
				     write.length, write.offset, write.flags, expected);
	}
	/* The two answers came, and often. */
	ck_assert_uint_gt(accepted, ROUNDS / 50);
	ck_assert_uint_lt(accepted, ROUNDS / 2);
	atomicio_close(whole);
	atomicio_close(hot);
	atomicio_close(cold);
	machine_is_clean();
}
END_TEST

START_TEST(the_flags_of_the_call_are_those_of_the_write)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict};
	struct atomicio_file *file = machine_open(&options);

	fake.pwritev2 = record;
	for (uint32_t flags = 0; flags < 4; flags++) {
		const int expected = SYS_RWF_ATOMIC | SYS_RWF_NOAPPEND |
				     (flags & ATOMICIO_DSYNC ? SYS_RWF_DSYNC : 0) |
				     (flags & ATOMICIO_NOWAIT ? SYS_RWF_NOWAIT : 0);

		ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, flags), 0);
		ck_assert_int_eq(last.flags, expected);
		ck_assert_int_eq(last.count, 1);
		ck_assert_uint_eq(last.offset, PAGE);
		ck_assert_uint_eq(last.length, PAGE);
		ck_assert_ptr_eq(last.buffer, page);
	}
	atomicio_close(file);
}
END_TEST

START_TEST(a_write_of_the_short_way_is_one_system_call)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict};
	struct atomicio_file *file = machine_open(&options);

	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, ATOMICIO_DSYNC), 0);
	ck_assert_uint_eq(fake.calls, 1);
	ck_assert(disk_holds(0, PAGE, NEW));
	ck_assert(disk_holds(PAGE, PAGE, DISK_OLD));
	atomicio_close(file);
	machine_is_clean();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_short_way_and_the_long_way_accept_the_same_writes,
		the_flags_of_the_call_are_those_of_the_write,
		a_write_of_the_short_way_is_one_system_call,
	};

	return check_run("write_hot", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
