/* SPDX-License-Identifier: MIT */
/* The names in a directory, for the table of sys.c.  Flow: below sys.h, whose rules hold here. */
#ifndef LIBATOMICIO_SYS_LIST_H
#define LIBATOMICIO_SYS_LIST_H

#include "sys.h"

int sys_list_names(const char *path, struct sys_list *out);

#endif /* LIBATOMICIO_SYS_LIST_H */
