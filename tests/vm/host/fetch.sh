#!/bin/bash
# SPDX-License-Identifier: MIT
# Fetch what the virtual machine is made of: QEMU, a static busybox, and Debian kernels; and fio.
# Flow: run.sh calls this first; everything lands under one cache directory, nothing is installed.
#
# usage: fetch.sh CACHE qemu|fio|KERNEL...	KERNEL is 6.1, 6.12, 7.3, or any release Debian carries
#
# VF1 the mirror is the one that this machine's own apt sources name; its host is written nowhere but
#    in the cache.  apt checks signatures and hashes; configuration, lists and state are our own.
# VF2 A program comes with its whole closure of libraries, C library included, and is started through
#    that closure's own dynamic loader: the result does not depend on the host's release.
# VF3 a component is whole or absent: it is made in a temporary directory, then renamed.  Its stamp
#    holds hashes that every later call checks, so a second call is offline and takes a second.
# Exit: 0 all there; 77 with one sentence: not to be had on this machine; 1 something is broken.
set -eu -o pipefail

cache=$(mkdir -p "$1" && cd "$1" && pwd)
shift
apt=$cache/apt

skip() {
	echo "vm: $*" >&2
	exit 77
}

# The configuration: the host's Acquire settings (proxies), and all directories our own.
apt_configure() {
	local site keyring=/usr/share/keyrings/debian-archive-keyring.gpg signed="" suite
	command -v apt-get >/dev/null || skip "no apt-get here, and QEMU and the kernels are" \
		"fetched as Debian packages."
	site=$(apt-get indextargets --format '$(ORIGIN)|$(SITE)|$(COMPONENT)|$(CREATED_BY)|$(RELEASE)' |
		awk -F'|' '$3 == "main" && $4 == "Packages" && $5 !~ /security/ {print $2; exit}')
	[ -n "$site" ] || skip "the apt sources of this machine name no Debian mirror."
	[ -r $keyring ] && signed="[signed-by=$keyring] "
	mkdir -p "$apt"/{lists/partial,archives/partial}
	: >"$apt/status"
	for suite in bookworm bookworm-backports trixie trixie-backports; do
		echo "deb $signed$site $suite main"
	done >"$apt/sources.list"
	{
		apt-config dump | grep '^Acquire::' || true
		cat <<-EOF
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::http::Timeout "30";
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "/dev/null";
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$apt";
		Dir::State::lists "$apt/lists";
		Dir::State::status "$apt/status";
		Dir::Cache "$apt";
		Dir::Cache::archives "$apt/archives";
		APT::Sandbox::User "root";
		APT::Architecture "amd64";
		APT::Architectures "amd64";
		EOF
	} >"$apt/apt.conf"
}

# Once a call: fresh lists.  A mirror that cannot be reached is a skip, not a failure.
apt_ready() {
	[ -n "${APT_CONFIG:-}" ] && return
	apt_configure
	export APT_CONFIG=$apt/apt.conf
	apt-get update -qq >"$apt/log" 2>&1 && ! grep -q '^[WE]: .*[Ff]ailed to fetch' "$apt/log" ||
		skip "the Debian mirror cannot be reached: $(grep -m 1 '^[WE]:' "$apt/log")"
}

stamp_write() { # directory file...: the files that make the component what it is
	local directory=$1
	shift
	(cd "$directory" && sha256sum "$@" >stamp)
}

stamp_holds() {
	[ -f "$1/stamp" ] && (cd "$1" && sha256sum --check --quiet stamp) >/dev/null 2>&1
}

fetch_closure() { # name "package..." file...: the files are those that it is known by
	local name=$1 packages=$2 new=$cache/$1.new
	shift 2
	stamp_holds "$cache/$name" && return
	apt_ready
	# shellcheck disable=SC2086 # a list of words
	apt-get -t trixie-backports install -y --download-only --no-install-recommends $packages \
		>"$apt/log" 2>&1 ||
		skip "$name cannot be had from the mirror: $(tail -n 1 "$apt/log")"
	rm -rf "$new" "${cache:?}/$name"
	mkdir -p "$new"
	for deb in "$apt"/archives/*.deb; do
		dpkg -x "$deb" "$new"
	done
	rm -rf "$apt"/archives/*.deb "$new"/usr/share/{doc,man,locale,info}
	stamp_write "$new" "$@"
	mv "$new" "$cache/$name"
}

fetch_qemu() {
	fetch_closure qemu "qemu-system-x86 busybox-static" \
		usr/bin/qemu-system-x86_64 usr/bin/busybox usr/share/seabios/bios-256k.bin
}

fetch_fio() {
	fetch_closure fio fio usr/bin/fio
}

# The parts of the module tree that a test can need; modprobe finds the rest missing, and says so.
module_directories="kernel/arch/x86/crypto kernel/crypto kernel/lib kernel/fs kernel/net/9p
	kernel/drivers/block kernel/drivers/md kernel/drivers/nvme kernel/drivers/virtio
	kernel/drivers/scsi/scsi_debug* kernel/drivers/scsi/sd_mod* kernel/drivers/scsi/scsi_mod*
	kernel/drivers/scsi/scsi_common* kernel/drivers/cdrom kernel/drivers/dax
	kernel/drivers/nvdimm kernel/block"

fetch_modules() { # unpacked-tree release destination
	local from to=$3/lib/modules/$2 part
	from=$(find "$1" -type d -path "*/lib/modules/$2" | head -n 1)
	mkdir -p "$to"
	for part in $module_directories; do
		(cd "$from" && find $part -name '*.ko*' -print0 2>/dev/null || true)
	done | (cd "$from" && cpio_copy "$to")
	cp "$from"/modules.order "$from"/modules.builtin* "$to"
	find "$to" -name '*.ko.xz' -print0 | nice -n 10 xargs -0 -r "$cache/qemu/usr/bin/busybox" unxz
	"$cache/qemu/usr/bin/busybox" depmod -b "$3" "$2"
}

cpio_copy() {
	tar --null -T - -cf - | tar -C "$1" -xf -
}

fetch_kernel() { # 6.12
	local version=$1 new=$cache/kernel-$1.new release name packages
	stamp_holds "$cache/kernel-$version" && return
	apt_ready
	release=$(apt-cache pkgnames linux-image-"$version". |
		sed -n "s/^linux-image-\($version\.[0-9.]*[-+][a-z0-9.]*-amd64\)$/\1/p" |
		sort -V | tail -n 1)
	[ -n "$release" ] || skip "the mirror has no kernel $version."
	packages="linux-image-$release"
	# From 7.2 on the image package is empty and depends on these three.
	if apt-cache show "linux-binary-$release" >/dev/null 2>&1; then
		packages="linux-binary-$release linux-modules-$release linux-base-$release"
	fi
	rm -rf "$new" "$cache/kernel-$version"
	mkdir -p "$new/deb" "$new/tree"
	for name in $packages; do
		(cd "$new/deb" && apt-get download "$name" >"$apt/log" 2>&1) ||
			skip "kernel $version cannot be had: $(tail -n 1 "$apt/log")"
	done
	for name in "$new"/deb/*.deb; do
		dpkg -x "$name" "$new/tree"
	done
	cp "$(find "$new/tree" -name "vmlinuz-$release" -o -path "*/$release/vmlinuz" | head -n 1)" \
		"$new/vmlinuz"
	echo "$release" >"$new/release"
	fetch_modules "$new/tree" "$release" "$new"
	rm -rf "$new/deb" "$new/tree"
	stamp_write "$new" vmlinuz release "lib/modules/$release/modules.dep"
	mv "$new" "$cache/kernel-$version"
}

exec 9>"$cache/lock"
flock 9
for component in "$@"; do
	case $component in
	qemu | fio) "fetch_$component" ;;
	*)
		fetch_qemu
		fetch_kernel "$component"
		;;
	esac
done
rm -rf "$apt"
