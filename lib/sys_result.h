/* SPDX-License-Identifier: MIT */
/* The errno of a call as a result, for the files of the system table. */
#ifndef LIBATOMICIO_SYS_RESULT_H
#define LIBATOMICIO_SYS_RESULT_H

#include <errno.h>

/* The result of one call by S1: `call` is evaluated once, errno restored. */
#define SYS_RESULT(type, call)                                                                     \
	__extension__({                                                                            \
		const int sys_saved = errno;                                                       \
		type sys_value = (type)(call);                                                     \
		if (sys_value < 0) {                                                               \
			sys_value = (type)-errno;                                                  \
			errno = sys_saved;                                                         \
		}                                                                                  \
		sys_value;                                                                         \
	})

#endif /* LIBATOMICIO_SYS_RESULT_H */
