/* SPDX-License-Identifier: MIT */
/*
 * Fixed newstyle negotiation, then simple replies, one request at a time.
 *
 * Flow: from tearing_disk.c; see nbd_server.h.
 */
#define _GNU_SOURCE
#include "nbd_server.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SECTOR 512U
#define REQUEST_MAX (32U << 20)
#define WAIT_MS 30000

/* doc/proto.md of the NetworkBlockDevice project. */
#define NBD_MAGIC 0x4e42444d41474943ULL
#define NBD_OPTION_MAGIC 0x49484156454f5054ULL
#define NBD_REPLY_MAGIC 0x3e889045565a9ULL
#define NBD_REQUEST_MAGIC 0x25609513U
#define NBD_SIMPLE_MAGIC 0x67446698U
#define NBD_HANDSHAKE_FLAGS 3U /* fixed newstyle, no zeroes */
#define NBD_EXPORT_FLAGS 0x0dU /* has flags, send flush, send FUA */
enum { NBD_OPT_EXPORT_NAME = 1, NBD_OPT_ABORT = 2, NBD_OPT_INFO = 6, NBD_OPT_GO = 7 };
enum { NBD_REP_ACK = 1, NBD_REP_INFO = 3 };
#define NBD_REP_ERR_UNSUP 0x80000001U
enum { NBD_CMD_READ = 0, NBD_CMD_WRITE = 1, NBD_CMD_DISC = 2, NBD_CMD_FLUSH = 3 };
#define NBD_CMD_FLAG_FUA 1U

static void die(const char *what)
{
	fprintf(stderr, "nbd_server: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* All of it, or false: the client is gone, or the power is. */
static bool receive(const struct nbd_disk *disk, int client, void *buffer, size_t length)
{
	char *at = buffer;

	while (length > 0) {
		ssize_t part = *disk->stop ? 0 : read(client, at, length);

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return false;
		at += part;
		length -= (size_t)part;
	}
	return true;
}

/* False at a stop only: a client that is gone does not read, but may have sent more. */
static bool give(struct nbd_disk *disk, int client, const void *buffer, size_t length)
{
	const char *at = buffer;

	while (length > 0 && !disk->gone) {
		ssize_t part = *disk->stop ? -1 : write(client, at, length);

		if (part < 0 && errno == EINTR && !*disk->stop)
			continue;
		if (part <= 0) {
			disk->gone = true;
			return !*disk->stop;
		}
		at += part;
		length -= (size_t)part;
	}
	return true;
}

/* Wait as long as a flush, and see whether the client lives to the end. */
static void linger(struct nbd_disk *disk, int client)
{
	struct pollfd poll_for = {.fd = client, .events = POLLRDHUP};

	if (disk->latency && !disk->gone)
		usleep(disk->latency(disk->context));
	if (poll(&poll_for, 1, 0) > 0 && poll_for.revents & (POLLRDHUP | POLLHUP | POLLERR))
		disk->gone = true;
}

static bool option_reply(struct nbd_disk *disk, int client, uint32_t option, uint32_t type,
			 const void *data, uint32_t length)
{
	struct {
		uint64_t magic;
		uint32_t option, type, length;
	} __attribute__((packed))
	reply = {htobe64(NBD_REPLY_MAGIC), htobe32(option), htobe32(type), htobe32(length)};

	return give(disk, client, &reply, sizeof(reply)) && give(disk, client, data, length);
}

static bool option_go(struct nbd_disk *disk, int client, uint32_t option)
{
	struct {
		uint16_t type;
		uint64_t size;
		uint16_t flags;
	} __attribute__((packed)) info = {0, htobe64(disk->size), htobe16(NBD_EXPORT_FLAGS)};

	return option_reply(disk, client, option, NBD_REP_INFO, &info, sizeof(info)) &&
	       option_reply(disk, client, option, NBD_REP_ACK, NULL, 0);
}

/* Fixed newstyle.  True: the client is in transmission. */
static bool negotiate(struct nbd_disk *disk, int client)
{
	struct {
		uint64_t magic, option_magic;
		uint16_t flags;
	} __attribute__((packed))
	hello = {htobe64(NBD_MAGIC), htobe64(NBD_OPTION_MAGIC), htobe16(NBD_HANDSHAKE_FLAGS)};
	struct {
		uint64_t magic;
		uint32_t option, length;
	} __attribute__((packed)) option;
	uint32_t client_flags;
	char data[4096];

	if (!give(disk, client, &hello, sizeof(hello)) ||
	    !receive(disk, client, &client_flags, sizeof(client_flags)))
		return false;
	for (int tries = 0; tries < 64; tries++) {
		uint32_t code, length;

		if (!receive(disk, client, &option, sizeof(option)) ||
		    option.magic != htobe64(NBD_OPTION_MAGIC))
			return false;
		code = be32toh(option.option);
		length = be32toh(option.length);
		if (length > sizeof(data) || !receive(disk, client, data, length))
			return false;
		if (code == NBD_OPT_GO)
			return option_go(disk, client, code);
		if (code == NBD_OPT_ABORT)
			return false;
		if (code == NBD_OPT_INFO
			    ? !option_go(disk, client, code)
			    : !option_reply(disk, client, code, NBD_REP_ERR_UNSUP, NULL, 0))
			return false;
	}
	return false;
}

struct request {
	uint32_t magic;
	uint16_t flags, type;
	uint64_t cookie, offset;
	uint32_t length;
} __attribute__((packed));

static bool reply_simple(struct nbd_disk *disk, int client, const struct request *request,
			 uint32_t error, const void *data, size_t length)
{
	struct {
		uint32_t magic, error;
		uint64_t cookie;
	} __attribute__((packed))
	reply = {htobe32(NBD_SIMPLE_MAGIC), htobe32(error), request->cookie};

	return give(disk, client, &reply, sizeof(reply)) &&
	       (error || give(disk, client, data, length));
}

/* One request.  False: no more of them; *clean says whether the client said goodbye. */
static bool serve_one(struct nbd_disk *disk, int client, bool *clean)
{
	struct request request;
	uint64_t offset;
	uint32_t length;
	char *data;
	bool outside, fua;

	if (!receive(disk, client, &request, sizeof(request)) ||
	    request.magic != htobe32(NBD_REQUEST_MAGIC))
		return false;
	offset = be64toh(request.offset);
	length = be32toh(request.length);
	outside = offset > disk->size || length > disk->size - offset || length > REQUEST_MAX ||
		  (offset | length) % SECTOR != 0;
	switch (be16toh(request.type)) {
	case NBD_CMD_READ:
		return reply_simple(disk, client, &request, outside ? EINVAL : 0,
				    outside ? NULL : disk->read(disk->context, offset), length);
	case NBD_CMD_WRITE:
		if (outside)
			return false;
		data = malloc(length);
		if (!data)
			die("memory");
		if (!receive(disk, client, data, length)) {
			free(data);
			return false;
		}
		fua = (be16toh(request.flags) & NBD_CMD_FLAG_FUA) != 0;
		if (fua)
			linger(disk, client);
		disk->write(disk->context, offset, length, data, fua && !disk->gone);
		return reply_simple(disk, client, &request, 0, NULL, 0);
	case NBD_CMD_FLUSH:
		linger(disk, client);
		if (!disk->gone)
			disk->flush(disk->context);
		return reply_simple(disk, client, &request, 0, NULL, 0);
	case NBD_CMD_DISC:
		*clean = true;
		return false;
	default:
		return reply_simple(disk, client, &request, EINVAL, NULL, 0);
	}
}

static int wait_for_client(const char *path, volatile sig_atomic_t *process)
{
	struct ucred peer = {0};
	socklen_t peer_size = sizeof(peer);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd poll_for = {.fd = listener, .events = POLLIN};
	int client;

	if (strlen(path) >= sizeof(address.sun_path))
		die("the socket's path is too long");
	strcpy(address.sun_path, path);
	unlink(path);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listener, 1) != 0)
		die(path);
	if (poll(&poll_for, 1, WAIT_MS) <= 0)
		die("nobody came");
	client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (client < 0 || getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) != 0)
		die("accept");
	*process = peer.pid;
	close(listener);
	return client;
}

bool nbd_serve(const char *socket_path, struct nbd_disk *disk)
{
	int client = wait_for_client(socket_path, &disk->client);
	bool clean = false;

	if (negotiate(disk, client)) {
		while (serve_one(disk, client, &clean))
			;
	}
	close(client);
	return clean;
}
