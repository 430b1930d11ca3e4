# SPDX-License-Identifier: MIT
# The virtual machine: what it needs from the host, its initramfs, and QEMU's command line.
# Flow: read by run.sh and crash.sh, which set source_root, here, build, kernel and name first.

skip() {
	echo "vm: $*" >&2
	exit 77
}

# Tools that the guest runs from the share, and what its programs are built with.  Installed here if
# this is root on a Debian.
host_tools() {
	local pair missing=""
	for pair in mkfs.xfs:xfsprogs mkfs.ext4:e2fsprogs dmsetup:dmsetup mdadm:mdadm \
		addpart:util-linux mount:mount cmp:diffutils awk:mawk gcc:gcc make:make \
		/usr/include/errno.h:libc6-dev /usr/include/liburing.h:liburing-dev \
		/usr/include/blkid/blkid.h:libblkid-dev; do
		[ -f "${pair%:*}" ] || PATH=$PATH:/usr/sbin:/sbin command -v "${pair%:*}" >/dev/null ||
			missing="$missing ${pair#*:}"
	done
	[ -z "$missing" ] && return
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || skip "install the Debian packages:$missing"
	{ apt-get install -y --no-install-recommends $missing ||
		{ apt-get update && apt-get install -y --no-install-recommends $missing; }; } \
		>"$build/vm/install.log" 2>&1 </dev/null ||
		skip "these packages cannot be installed:$missing (see $build/vm/install.log)"
}

# The C programs of this directory.  The library's own test programs come from the build.
build_programs() {
	mkdir -p "$build/vm/bin"
	make -s -f "$here/Makefile" -C "$here" OUT="$build/vm/bin"
}

# Modules needed before the share is there, with all they depend on.
module_closure() { # modules.dep module-path...
	local dep=$1 path
	shift
	for path in "$@"; do
		module_closure "$dep" $(sed -n "s|^$path: *||p" "$dep")
		echo "$path"
	done
}

# put_modules MODULE...: those and what they need, into $run/initramfs, with the order to load them
put_modules() {
	local root=$run/initramfs modules=$cache/kernel-$kernel/lib/modules/$release module path
	for module in "$@"; do
		path=$(sed -n "s|^\([^:]*/$module\.ko\):.*|\1|p" "$modules/modules.dep")
		module_closure "$modules/modules.dep" $path
	done | awk '!seen[$0]++' >"$run/modules"
	while read -r path; do
		cp "$modules/$path" "$root/modules/"
		basename "$path" >>"$root/modules/order"
	done <"$run/modules"
}

make_initramfs() {
	local root=$run/initramfs modules=$cache/kernel-$kernel/lib/modules/$release
	mkdir -p "$root"/{bin,proc,sys,dev,host,out,upper,root,modules}
	cp "$cache/qemu/usr/bin/busybox" "$root/bin/busybox"
	cp "$run/guest/init" "$root/init"
	put_modules virtio_pci 9pnet_virtio 9p overlay
	cat >"$root/job" <<-EOF
	export VM_GUEST='$run/guest' VM_BUILD='$build' VM_BIN='$build/vm/bin' VM_KERNEL='$kernel' VM_MAIN='$run/guest/${guest_main:-main}'
	export VM_BUSYBOX='$cache/qemu/usr/bin/busybox' VM_MODULES='$modules'
	export VM_TEST_LIMIT='${VM_TEST_LIMIT:-600}'
	export VM_CRASH='${VM_CRASH:-}'
	EOF
	(cd "$root" && find . | "$cache/qemu/usr/bin/busybox" cpio -o -H newc 2>/dev/null) |
		gzip -1 >"$run/initramfs.gz"
	rm -r "$root"
}

# What all machines share: sets build and cache, fetches, installs, compiles.
prepare_host() { # KERNEL...
	[ "$(uname -m)" = x86_64 ] || skip "the virtual machine is for x86-64 only."
	mkdir -p "$build/vm"
	build=$(cd "$build" && pwd)
	cache=$build/vm
	[ -z "${VM_PREPARED:-}" ] || return 0
	"$here/host/fetch.sh" "$cache" "$@" || return
	host_tools
	build_programs
}

# Sets run and release, too; makes $run empty, with a copy of the guest's scripts in it, so that an
# editor does not reach into a running guest.
prepare() {
	prepare_host "$kernel"
	run=$cache/run-${name:+$name-}$kernel
	release=$(cat "$cache/kernel-$kernel/release")
	rm -rf "$run"
	mkdir -p "$run/out/log"
	: >"$run/out/results"
	cp -r "$here/guest" "$run/guest"
}

# Sets command to QEMU's, with the console in $run/console.log.  The caller adds disks.  One
# processor: with more, one of them now and then meets an instruction that another has half
# patched (Oops: int3, seen while 7.3 boots), and with one a run costs half of the host's time.
# Never nice: beside two busy compilers a nice guest gets a twentieth of a processor, while its
# clock, and with it all limits and throttles, goes on.
machine_command() {
	local qemu=$cache/qemu
	local libraries=$qemu/usr/lib/x86_64-linux-gnu
	command=("$qemu/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libraries"
		"$qemu/usr/bin/qemu-system-x86_64" -L "$qemu/usr/share/qemu" -L "$qemu/usr/share/seabios"
		-machine q35 -accel "tcg,thread=multi" -cpu max -smp 1 -m 2048
		-nodefaults -display none -no-reboot -serial "file:$run/console.log"
		-kernel "$cache/kernel-$kernel/vmlinuz" -initrd "$run/initramfs.gz"
		-append "console=ttyS0 panic=-1 oops=panic log_buf_len=4M mitigations=off nowatchdog ${VM_APPEND:-}"
		-virtfs "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap"
		-virtfs "local,path=$run/out,mount_tag=out,security_model=none")
}
