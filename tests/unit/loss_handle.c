/* SPDX-License-Identifier: MIT */
/*
 * Goal: no write goes through the witness of a handle, and a handle without one says so.
 * Method: handles over the fake disk, which notes the descriptor of each write.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "check_run.h"
#include "libatomicio/uring.h"
#include "loss.h"
#include "write_machine.h"

START_TEST(no_write_goes_through_the_witness)
{
	const struct atomicio_options options = {.fallback = ATOMICIO_FALLBACK_PLAIN};
	struct atomicio_file *file = machine_open(&options);

	for (int i = 0; i < 4; i++) {
		DISK_SCRIPT(-EIO, -EAGAIN, -EINVAL);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, i & 1 ? ATOMICIO_DSYNC : 0),
				 0);
		ck_assert_int_ne(disk.write_fd, file->loss.witness);
	}
	atomicio_close(file);
}
END_TEST

START_TEST(a_handle_without_a_witness_says_so)
{
	struct atomicio_options options = {.flags = ATOMICIO_OPEN_NO_WITNESS};
	struct atomicio_caps caps;

	for (int i = 0; i < 2; i++) {
		struct atomicio_file *file = machine_open(&options);

		ck_assert_int_eq(atomicio_file_get_caps(file, &caps, sizeof(caps)), 0);
		ck_assert_int_eq(!(caps.reasons & ATOMICIO_REASON_NO_WITNESS), i);
		ck_assert_uint_eq(fake.opened, (uint32_t)i);
		atomicio_close(file);
		options.flags = 0;
	}
	machine_is_clean();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		no_write_goes_through_the_witness,
		a_handle_without_a_witness_says_so,
	};

	return check_run("loss_handle", tests, sizeof(tests) / sizeof(tests[0]), write_machine);
}
