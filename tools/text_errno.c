/* SPDX-License-Identifier: MIT */
/*
 * The names of error numbers, which only glibc 2.32 and newer can tell (strerrorname_np).
 *
 * Flow: a leaf of the JSON printers.  The numbers differ between machines, the names do not.
 */
#include "tool.h"

#include <errno.h>
#include <stddef.h>

#define NAMED(error)                                                                               \
	{                                                                                          \
		error, #error                                                                      \
	}

static const struct {
	int error;
	const char *name;
} names[] = {
	NAMED(EPERM),	     NAMED(ENOENT),	  NAMED(ESRCH),		  NAMED(EINTR),
	NAMED(EIO),	     NAMED(ENXIO),	  NAMED(E2BIG),		  NAMED(EBADF),
	NAMED(EAGAIN),	     NAMED(ENOMEM),	  NAMED(EACCES),	  NAMED(EFAULT),
	NAMED(ENOTBLK),	     NAMED(EBUSY),	  NAMED(EEXIST),	  NAMED(EXDEV),
	NAMED(ENODEV),	     NAMED(ENOTDIR),	  NAMED(EISDIR),	  NAMED(EINVAL),
	NAMED(ENFILE),	     NAMED(EMFILE),	  NAMED(ENOTTY),	  NAMED(ETXTBSY),
	NAMED(EFBIG),	     NAMED(ENOSPC),	  NAMED(ESPIPE),	  NAMED(EROFS),
	NAMED(EMLINK),	     NAMED(EPIPE),	  NAMED(ERANGE),	  NAMED(EDEADLK),
	NAMED(ENAMETOOLONG), NAMED(ENOSYS),	  NAMED(ENOTEMPTY),	  NAMED(ELOOP),
	NAMED(ENODATA),	     NAMED(ETIME),	  NAMED(ENOLINK),	  NAMED(EPROTO),
	NAMED(EBADMSG),	     NAMED(EOVERFLOW),	  NAMED(ENOTUNIQ),	  NAMED(EILSEQ),
	NAMED(EUCLEAN),	     NAMED(EMSGSIZE),	  NAMED(EPROTONOSUPPORT), NAMED(EOPNOTSUPP),
	NAMED(ENOBUFS),	     NAMED(ETIMEDOUT),	  NAMED(EALREADY),	  NAMED(EINPROGRESS),
	NAMED(ESTALE),	     NAMED(EREMOTEIO),	  NAMED(EDQUOT),	  NAMED(ENOMEDIUM),
	NAMED(EMEDIUMTYPE),  NAMED(ECANCELED),	  NAMED(EOWNERDEAD),	  NAMED(ENOTRECOVERABLE),
	NAMED(EHWPOISON),    NAMED(ENOTCONN),	  NAMED(ECONNREFUSED),	  NAMED(ECONNRESET),
	NAMED(EHOSTDOWN),    NAMED(EHOSTUNREACH), NAMED(ENETUNREACH),	  NAMED(ENOKEY),
	NAMED(EKEYEXPIRED),  NAMED(EKEYREJECTED), NAMED(ELIBBAD),	  NAMED(ENOEXEC),
	NAMED(ENOLCK),	     NAMED(EDOM),
};

const char *text_errno(int error)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	return NULL;
}
