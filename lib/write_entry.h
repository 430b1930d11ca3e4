/* SPDX-License-Identifier: MIT */
/*
 * One untorn write as an entry of an io_uring: before it is submitted, and after.
 *
 * Flow: shared by the guest (write_uring.c), in the caller's ring, and the queue (write_flight.c),
 * in its own ring; checks, classification and policy are the same for every write.
 */
#ifndef LIBATOMICIO_WRITE_ENTRY_H
#define LIBATOMICIO_WRITE_ENTRY_H

#ifndef ATOMICIO_NO_URING
#include <liburing.h>
#else
#include <linux/io_uring.h> /* the layout of an entry is the kernel's */
#endif

#include "write.h"

/* write_entry.c */

/* Everything to be checked before the kernel sees the entry.  False: the outcome says why not. */
bool write_entry_ready(struct write_request *request, struct write_outcome *outcome);

/* The entry's RWF_ flags, with RWF_ATOMIC. */
int write_entry_rwf(const struct write_request *request);

/* Judge a completion.  False: a proof of nothing, submit the same entry again. */
bool write_entry_result(struct write_request *request, int64_t result,
			struct write_outcome *outcome);

/* Fill an entry, all but its user_data, as liburing's prep calls do. */
static inline void write_entry_fill(struct io_uring_sqe *sqe, uint8_t opcode, int fd,
				    const void *buffer, uint32_t length, uint64_t offset, int rwf)
{
	const uint64_t user_data = sqe->user_data;

	*sqe = (struct io_uring_sqe){
		.opcode = opcode,
		.fd = fd,
		.off = offset,
		.addr = (uintptr_t)buffer,
		.len = length,
		/* int or unsigned, by the header's age */
		.rw_flags = (__typeof__(sqe->rw_flags))rwf,
		.user_data = user_data,
	};
}

#endif /* LIBATOMICIO_WRITE_ENTRY_H */
