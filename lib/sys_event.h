/* SPDX-License-Identifier: MIT */
/* An eventfd, for the table of sys.c.  Flow: below sys.h, whose rules hold here. */
#ifndef LIBATOMICIO_SYS_EVENT_H
#define LIBATOMICIO_SYS_EVENT_H

int sys_event_signal(int event);

#endif /* LIBATOMICIO_SYS_EVENT_H */
