#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the matrix mounts beside: `cut.sh on N` mounts cut N of $MATRIX_DISK at $MATRIX_CUT_AT, `cut.sh
# off` takes it away, `cut.sh again` mounts the live filesystem anew after it was shut down.
set -u
case $1 in
on)
	for _ in 1 2 3 4 5; do # others take loop devices too
		device=$(losetup --find --show --direct-io=on "$MATRIX_DISK/cut-$2") && break
		sleep 0.1
	done
	[ -n "${device:-}" ] || exit 1
	options=rw
	[ "$MATRIX_TYPE" != xfs ] || options=nouuid
	mount -t "$MATRIX_TYPE" -o "$options" "$device" "$MATRIX_CUT_AT"
	status=$?
	losetup -d "$device" # it goes with the filesystem
	exit $status
	;;
off) umount "$MATRIX_CUT_AT" ;;
again)
	umount "$MATRIX_AT" && mount -t "$MATRIX_TYPE" -o "$MATRIX_OPTIONS" "$MATRIX_DEVICE" "$MATRIX_AT"
	;;
esac
