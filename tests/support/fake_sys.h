/* SPDX-License-Identifier: MIT */
/*
 * A system table whose every answer is a field of one struct.
 *
 * Flow: tests set fields of `fake`, pass &fake_sys where the library takes a table, and look
 * at the counters afterwards.
 *
 * FS1 fake_reset() first: a writable O_DIRECT regular file on XFS, Linux 6.18, no sysfs.
 * FS2 a result field that is negative is the errno of that call.
 * FS3 with fail_at = n, the n-th call of any entry fails with fail_error, with any field.
 * FS4 a hook, where set, answers instead of the fields.
 * FS5 the empty pwritev2, which tests for the call, is neither counted nor failed by FS3.
 */
#ifndef FAKE_SYS_H
#define FAKE_SYS_H

#include "fake_sysfs.h"
#include "sys.h"

#define FAKE_FD 100

struct fake_system {
	/* Answers. */
	int statx_result;
	struct sys_statx statx;
	int fstat_result;
	int inode_flags_result;
	uint32_t inode_flags;
	int getfl_result;
	const char *release; /* NULL: uname fails */
	int fs_magic_result;
	uint32_t fs_magic;
	uint64_t mount_flags;
	int fs_uuid_result;
	uint8_t fs_uuid[16];
	int identify_result;
	struct sys_identity identity;
	ssize_t pwritev2_result;
	int pwritev2_refused; /* a filter's answer to each pwritev2, 0: there is none */
	int pwrite_result;
	int lock_result;
	int lock_shared_result;
	int unlock_result;
	int pid; /* changes as in a child after fork() */
	int truncate_result;
	int fdatasync_result;
	int write_back_result;
	int drop_cache_result;
	int cachestat_result;
	struct sys_cachestat cachestat;
	int device_size_result;
	uint64_t device_size;
	int blocks_result, seals_result;
	uint64_t blocks_end;
	unsigned int blocks_asked;
	int file_size_limit_result;
	uint64_t file_size_limit;
	uint64_t size_max; /* 0: every seek succeeds */
	int seek_result;
	int populate_result; /* of a buffer */
	int populate_known;  /* of no buffer: does the kernel know the advice? */
	int open_result;     /* negative: every open fails; else files of the tree open */

	/* Hooks. */
	ssize_t (*pwritev2)(int fd, const struct iovec *vector, int count, uint64_t offset,
			    int flags);
	ssize_t (*pread)(int fd, void *buffer, size_t length, uint64_t offset);

	/* What to fail. */
	uint32_t fail_at; /* 0: nothing */
	int fail_error;	  /* a negative errno */

	/* What was seen. */
	_Atomic uint32_t calls;
	_Atomic uint32_t opened; /* descriptors open now */
	_Atomic uint32_t allocated;
	_Atomic uint32_t pwritev2_calls;
	uint32_t pwrite_calls;
	uint32_t seeks, caller_seeks;
	_Atomic uint32_t identify_calls;
	_Atomic uint32_t list_calls;
	_Atomic uint32_t sleeps;
	struct iovec pwritev2_vector;
	int pwritev2_count;
	uint64_t pwritev2_offset;
	int pwritev2_flags;
	uint32_t statx_mask;
	char identify_device[64];
	uint32_t identify_major, identify_minor;
};

extern struct fake_system fake;
extern const struct sys_calls fake_sys;

void fake_reset(void);

/* The statx answer for a file with untorn writes. */
void fake_claim(uint32_t unit_min, uint32_t unit_max, uint32_t unit_max_opt);

#endif /* FAKE_SYS_H */
