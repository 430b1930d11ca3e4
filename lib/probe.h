/* SPDX-License-Identifier: MIT */
/*
 * The probe family: the abilities of an open file, and why not more.
 *
 * Flow: probe.c holds the order and the verdict; probe_statx.c, probe_sysfs.c and probe_blkid.c are
 * its sources; reason.c puts the verdict's reasons into words.
 */
#ifndef LIBATOMICIO_PROBE_H
#define LIBATOMICIO_PROBE_H

#include "libatomicio/atomicio.h"
#include "sys.h"

/* atomicio_probe() over any system table; caps is written on success only. */
int probe_file(const struct sys_calls *sys, int fd, struct atomicio_caps *caps);

#endif /* LIBATOMICIO_PROBE_H */
