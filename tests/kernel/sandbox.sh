#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library in a sandbox that refuses one system call or another.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

kernel_begin mkfs.xfs
kernel_mount xfs xfs -m reflink=1 || exit 1
kernel_run sandbox "$kernel_scratch/xfs"
kernel_finish
