/* SPDX-License-Identifier: MIT */
/*
 * Goal: the probe knows what is on a device, or says that it does not, and needs no privilege
 * for the verdict.
 * Method: scripted answers of the kernel and of libblkid.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "probe.h"
#include "probe_machine.h"

/* Filesystem and UUID. */

START_TEST(uuid_of_the_kernel_needs_no_look_at_the_device)
{
	machine_xfs(&queue_none);
	probe_machine();
	ck_assert_str_eq(caps.filesystem_type, "xfs");
	ck_assert_str_eq(caps.filesystem_uuid, "00112233-4455-6677-8899-aabbccddeeff");
	ck_assert_uint_eq(fake.identify_calls, 0);
	ck_assert(!(caps.evidence & ATOMICIO_EVIDENCE_BLKID));
}
END_TEST

START_TEST(uuid_that_was_never_set_is_no_uuid)
{
	machine_xfs(&queue_none);
	memset(fake.fs_uuid, 0, sizeof(fake.fs_uuid));
	probe_machine();
	ck_assert_str_eq(caps.filesystem_uuid, "");
	ck_assert_uint_eq(fake.identify_calls, 0);
}
END_TEST

START_TEST(libblkid_is_asked_where_the_kernel_does_not_tell)
{
	machine_xfs(&queue_none);
	fake.fs_uuid_result = -ENOTTY;
	fake.identity = (struct sys_identity){"xfs", "aaaa-bbbb"};
	probe_machine();
	ck_assert_uint_eq(fake.identify_calls, 1);
	ck_assert_str_eq(fake.identify_device, "/dev/sda");
	ck_assert_uint_eq(fake.identify_major, 8);
	ck_assert_uint_eq(fake.identify_minor, 0);
	ck_assert_str_eq(caps.filesystem_uuid, "aaaa-bbbb");
	ck_assert(caps.evidence & ATOMICIO_EVIDENCE_BLKID);
	ck_assert(!(caps.reasons & ATOMICIO_REASON_CONTENTS_UNKNOWN));
}
END_TEST

START_TEST(libblkid_names_the_type_that_the_magic_number_does_not)
{
	machine_xfs(&queue_none);
	fake.fs_magic = MAGIC_NEW;
	fake.fs_uuid_result = -ENOTTY;
	fake.identity = (struct sys_identity){"newfs", "1"};
	probe_machine();
	ck_assert_str_eq(caps.filesystem_type, "newfs");
	fake.fs_magic = MAGIC_EXT4;
	fake.identity = (struct sys_identity){"ext3", "1"};
	probe_machine();
	ck_assert_str_eq(caps.filesystem_type, "ext4");
}
END_TEST

START_TEST(unprivileged_probe_changes_no_verdict)
{
	machine_xfs(&queue_4k);
	fake_claim(4096, 4096, 0);
	fake.fs_uuid_result = -ENOTTY;
	fake.identify_result = -EACCES;
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, ATOMICIO_REASON_CONTENTS_UNKNOWN);
	ck_assert_str_eq(caps.filesystem_uuid, "");
	ck_assert(!(caps.evidence & ATOMICIO_EVIDENCE_BLKID));
}
END_TEST

START_TEST(second_signature_is_told_from_a_device_that_cannot_be_read)
{
	machine_xfs(&queue_4k);
	fake_claim(4096, 4096, 0);
	fake.fs_uuid_result = -ENOTTY;
	fake.identify_result = -ENOTUNIQ;
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, ATOMICIO_REASON_CONTENTS_AMBIGUOUS);
	ck_assert_str_eq(caps.filesystem_uuid, "");
	ck_assert(strstr(atomicio_reason_fix(ATOMICIO_REASON_CONTENTS_AMBIGUOUS), "wipefs"));
	ck_assert(!strstr(atomicio_reason_fix(ATOMICIO_REASON_CONTENTS_AMBIGUOUS), "user"));
}
END_TEST

START_TEST(block_device_is_identified_by_libblkid_alone)
{
	machine_block_device(&queue_4k);
	fake_claim(4096, 4096, 0);
	fake.identity = (struct sys_identity){"ext4", "2"};
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, 0);
	ck_assert_str_eq(caps.filesystem_type, "ext4");
	ck_assert_str_eq(caps.filesystem_uuid, "2");
	/* An empty disk is an answer too. */
	fake.identity = (struct sys_identity){"", ""};
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, 0);
	ck_assert(caps.evidence & ATOMICIO_EVIDENCE_BLKID);
	/*
	 * The contents of a disk do not make the disk a filesystem: no bigalloc for a raw device.
	 */
	fake.identity = (struct sys_identity){"ext4", "2"};
	fake_disk(DISK, "8:0", &queue_64k);
	expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, 0);
}
END_TEST

START_TEST(partition_is_identified_by_its_own_node)
{
	machine_partition(2048, 0);
	probe_machine();
	ck_assert_str_eq(fake.identify_device, "/dev/sda1");
	ck_assert_uint_eq(fake.identify_minor, 1);
}
END_TEST

START_TEST(slashes_of_a_node_are_restored)
{
	fake_disk("/sys/devices/block/cciss!c0d0", "8:0", &queue_none);
	fake.fs_uuid_result = -ENOTTY;
	probe_machine();
	ck_assert_str_eq(fake.identify_device, "/dev/cciss/c0d0");
}
END_TEST

START_TEST(file_without_a_device_has_no_unknown_contents)
{
	fake.statx.dev_major = 0;
	fake.fs_magic = MAGIC_TMPFS;
	fake.fs_uuid_result = -ENOTTY;
	machine_no_answer();
	expect_none(ATOMICIO_REASON_FS_UNSUPPORTED);
	ck_assert_uint_eq(fake.identify_calls, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		uuid_of_the_kernel_needs_no_look_at_the_device,
		uuid_that_was_never_set_is_no_uuid,
		libblkid_is_asked_where_the_kernel_does_not_tell,
		libblkid_names_the_type_that_the_magic_number_does_not,
		unprivileged_probe_changes_no_verdict,
		second_signature_is_told_from_a_device_that_cannot_be_read,
		block_device_is_identified_by_libblkid_alone,
		partition_is_identified_by_its_own_node,
		slashes_of_a_node_are_restored,
		file_without_a_device_has_no_unknown_contents,
	};

	return check_run("probe_contents", tests, sizeof(tests) / sizeof(tests[0]), fake_reset);
}
