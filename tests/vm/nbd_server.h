/* SPDX-License-Identifier: MIT */
/*
 * The NBD protocol, server side, for one client on a unix socket.
 *
 * Flow: tearing_disk.c gives it the disk's size and four functions, and gets the requests.
 */
#ifndef TESTS_VM_NBD_SERVER_H
#define TESTS_VM_NBD_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct nbd_disk {
	uint64_t size;
	void *context;
	const char *(*read)(void *context, uint64_t offset); /* a pointer to the data there */
	void (*write)(void *context, uint64_t offset, uint32_t length, char *data,
		      bool fua); /* takes data over, from malloc */
	void (*flush)(void *context);
	volatile sig_atomic_t *stop; /* set by a signal: end as if the client were gone */
};

/*
 * Serve the first client until it is gone.  True: it said goodbye (NBD_CMD_DISC).  A request that
 * had not arrived whole is as if never sent.
 */
bool nbd_serve(const char *socket_path, const struct nbd_disk *disk);

#endif /* TESTS_VM_NBD_SERVER_H */
