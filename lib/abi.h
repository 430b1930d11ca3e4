/* SPDX-License-Identifier: MIT */
/*
 * Marks of exported functions, and structs that travel with their size.
 *
 * Flow: used at the public border by every family; depends on nothing.
 */
#ifndef LIBATOMICIO_ABI_H
#define LIBATOMICIO_ABI_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* In the shared library's symbol table; lib/libatomicio.map names the same symbols. */
#define ATOMICIO_EXPORT __attribute__((visibility("default")))

/*
 * Read a caller's struct of `size` bytes into ours of `ours` bytes.  `first` is the size of the
 * first release (abi_first.h).  -EINVAL: too small; -E2BIG: an unknown tail is not zero.
 */
static inline int abi_read(void *out, size_t ours, const void *theirs, size_t size, size_t first)
{
	const uint8_t *bytes = theirs;

	if (size < first)
		return -EINVAL;
	for (size_t i = ours; i < size; i++)
		if (bytes[i])
			return -E2BIG;
	memset(out, 0, ours);
	memcpy(out, theirs, size < ours ? size : ours);
	return 0;
}

/* Check the size of a caller's struct before the work to fill it. */
static inline int abi_check(const void *theirs, size_t size, size_t first)
{
	if (!theirs)
		return -EFAULT;
	return size < first ? -EINVAL : 0;
}

/* Write our struct of `ours` bytes to a caller's of `size` bytes, a longer tail becoming zero. */
static inline void abi_write(void *theirs, size_t size, const void *mine, size_t ours)
{
	const size_t length = size < ours ? size : ours;

	memcpy(theirs, mine, length);
	memset((uint8_t *)theirs + length, 0, size - length);
}

#endif /* LIBATOMICIO_ABI_H */
