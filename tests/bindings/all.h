/* SPDX-License-Identifier: MIT */
/* What a tool for bindings reads: all public headers. */
#ifndef ATOMICIO_BINDINGS_ALL_H
#define ATOMICIO_BINDINGS_ALL_H

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>
#include <libatomicio/turns.h>
#include <libatomicio/uring.h>

#endif /* ATOMICIO_BINDINGS_ALL_H */
