/* SPDX-License-Identifier: MIT */
/* The libblkid entry of the system table, in a file of its own to keep sys.c free of libblkid. */
#ifndef LIBATOMICIO_SYS_BLKID_H
#define LIBATOMICIO_SYS_BLKID_H

#include "sys.h"

int sys_blkid_identify(const char *device, uint32_t major, uint32_t minor,
		       struct sys_identity *out);

#endif /* LIBATOMICIO_SYS_BLKID_H */
