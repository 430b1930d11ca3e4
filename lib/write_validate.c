/* SPDX-License-Identifier: MIT */
/*
 * Could the kernel make this write untorn, and which path should the write take?
 *
 * Flow: the first step of every attempt; pure, no call is made and nothing is changed.
 *
 * The rules of shape are the rules of generic_atomic_write_valid() (fs/read_write.c, unchanged from
 * 6.12 to 7.3) and of the direct I/O alignment.  The check comes before the call because the kernel
 * answers every broken rule, and other faults, with the same EINVAL.
 */
#include "write.h"

#include <errno.h>

/* Arguments that no file could take: 0, or -EINVAL. */
int write_misuse(const void *buffer, uint64_t length, uint64_t offset, uint32_t flags,
		 uint32_t known_flags)
{
	if (!buffer || length == 0)
		return -EINVAL;
	if (offset > INT64_MAX || length > INT64_MAX - offset)
		return -EINVAL;
	if (flags & ~known_flags)
		return -EINVAL;
	return 0;
}

/* The rules broken by a write, as reason bits; 0: none. */
uint64_t write_shape(const struct write_limits *limits, const void *buffer, uint64_t length,
		     uint64_t offset)
{
	uint64_t broken = 0;

	if (length == 0 || (length & (length - 1)))
		broken |= ATOMICIO_REASON_LENGTH_NOT_POWER_OF_TWO;
	else if (offset & (length - 1))
		broken |= ATOMICIO_REASON_OFFSET_UNALIGNED;
	if (length < limits->unit_min)
		broken |= ATOMICIO_REASON_LENGTH_TOO_SMALL;
	if (length > limits->unit_max)
		broken |= ATOMICIO_REASON_LENGTH_TOO_LARGE;
	if ((uintptr_t)buffer & (limits->memory_align - 1))
		broken |= ATOMICIO_REASON_MEMORY_UNALIGNED;
	return broken;
}

/* Shape rules for the home write of a journaled page: none, if buffered. */
uint64_t write_journal_shape(const struct atomicio_file *file, uint64_t length, uint64_t offset)
{
	const uint64_t mask = file->home_align - 1;
	uint64_t broken = 0;

	if (length & mask)
		broken |= ATOMICIO_REASON_LENGTH_UNALIGNED;
	if (offset & mask)
		broken |= ATOMICIO_REASON_OFFSET_UNALIGNED;
	return broken;
}

/* write_shape(), less the faults that a bounce buffer can mend; guests have none. */
uint64_t write_shape_broken(const struct write_request *request, uint32_t unit_max)
{
	const struct atomicio_file *file = request->file;
	struct write_limits limits = file->limits;
	uint64_t broken;

	limits.unit_max = unit_max;
	broken = write_shape(&limits, request->buffer, request->length, request->offset);
	if (broken == ATOMICIO_REASON_MEMORY_UNALIGNED && !(request->mode & WRITE_GUEST) &&
	    request->length <= file->options.bounce_max)
		broken = 0;
	return broken;
}

bool write_fits_frame(const struct write_request *request)
{
	return journal_fits(request->file->options.journal, 1, journal_room(request->length));
}

/*
 * The first path of a write.  AUTO: the hardware if the write fits, else the journal if one is
 * given, else the filesystem's copy on write.  Where a live frame may cover the range, AUTO takes
 * the journal, whatever the hardware can do (J3).  A write too long for any frame goes to the
 * kernel, if the kernel can take it; the live frames of its range are then retired first.
 */
uint32_t write_route(const struct write_request *request)
{
	const struct atomicio_file *file = request->file;
	const struct atomicio_options *options = &file->options;

	if (options->path != ATOMICIO_PATH_AUTO)
		return options->path;
	if (!options->journal || (!write_shape_broken(request, file->unit_max_hw) &&
				  !journal_may_cover(options->journal, options->file_id,
						     request->offset, request->length)))
		return ATOMICIO_PATH_KERNEL;
	if (!write_fits_frame(request) && !write_shape_broken(request, file->limits.unit_max))
		return ATOMICIO_PATH_KERNEL;
	return ATOMICIO_PATH_JOURNAL;
}
