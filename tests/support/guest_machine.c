/* SPDX-License-Identifier: MIT */
/* A guest's request and its entry, in memory.  See guest_machine.h. */
#include "guest_machine.h"

#include <check.h>
#include <string.h>

struct atomicio_request request;
struct io_uring_sqe entry;
struct fake_policy guest_policy;
struct atomicio_file *file;

void guest_setup(void)
{
	fake_ring_reset();
	memset(&request, 0, sizeof(request));
	guest_policy = (struct fake_policy){.answer = ATOMICIO_FAIL};
}

void guest_open(uint32_t answer, uint32_t fallback)
{
	const struct atomicio_options options = {.policy = fake_decide,
						 .policy_context = &guest_policy,
						 .fallback = fallback,
						 .bounce_max = 65536};

	guest_policy.answer = answer;
	file = fake_ring_open(0, &options);
}

int prep(const void *buffer, size_t length, uint64_t offset, uint32_t flags)
{
	memset(&entry, 0xa5, sizeof(entry));
	entry.user_data = USER_DATA;
	return atomicio_uring_prep(&request, file, &entry, buffer, length, offset, flags);
}

int prep_page(void)
{
	return prep(fake_page(1), LENGTH, 8192, 0);
}

/* The kernel refuses the entry without any effect. */
void check_failing(void)
{
	ck_assert_uint_eq(entry.opcode, IORING_OP_WRITE);
	ck_assert_int_eq(entry.fd, -1);
	ck_assert_uint_eq(entry.len, 0);
	ck_assert_uint_eq(entry.addr, 0);
	ck_assert(entry.rw_flags & ~0x3ff);
	ck_assert_uint_eq(entry.user_data, USER_DATA);
}

void check_write(int rwf)
{
	struct io_uring_sqe wanted = {.opcode = IORING_OP_WRITE,
				      .fd = FAKE_FD,
				      .addr = (uintptr_t)fake_page(1),
				      .len = LENGTH,
				      .off = 8192,
				      .user_data = USER_DATA};

	wanted.rw_flags = SYS_RWF_ATOMIC | SYS_RWF_NOAPPEND | rwf;
	ck_assert_mem_eq(&entry, &wanted, sizeof(wanted));
}
