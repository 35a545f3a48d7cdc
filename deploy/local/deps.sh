#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes this machine able to build, run and test countinghouse:
#   1. installs the Debian packages of packages.txt that are missing,
#   2. builds librdkafka and libwebsockets as static libraries from Debian's
#      newer source packages (the system's lose messages: see docs),
#   3. fetches Apache Kafka's jars with Maven.
#
# Usage: deps.sh [--missing] [GROUP...]
#   GROUP      of packages.txt; default: build run test
#   --missing  only tells what a call would have to fetch
#
# Every step leaves a stamp and is skipped while the stamp fits, so that a
# second call takes well under a second. Calls may overlap (one lock). Needs
# the network only for what is missing. Result:
#   $CH_CACHE/deps/{include,lib,lib/pkgconfig}   link with pkg-config, no --static
#   $CH_CACHE/kafka/VERSION/libs                 class path
#   $CH_CACHE/tools                              programs unpacked, not installed
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RDKAFKA_VERSION=2.14.2
RDKAFKA_FLOOR=2.12.0
LWS_VERSION=4.3.5
LWS_FLOOR=4.3.3
NEWER_SUITES="trixie forky sid"

PREFIX=$CH_CACHE/deps
LOGS=$CH_CACHE/log
SRC=$CH_CACHE/src
APT=$CH_CACHE/apt
STAMPS=$CH_CACHE/stamps
JOBS=${CH_JOBS:-$(nproc)}
CFLAGS_DEPS="-O2 -g1 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2"

# --- packages ---------------------------------------------------------------

packages_of()
{
	awk -v groups=" $* " '!/^[[:space:]]*(#|$)/ &&
	    index(groups, " " $2 " ") { print $1 }' "$CH_LOCAL/packages.txt"
}

missing_packages()
{
	local p

	for p in $(packages_of "$@"); do
		[[ $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) == \
		    "install ok installed" ]] || say "$p"
	done
}

as_root()
{
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "install packages" "not root, and there is no sudo" \
		    "run as root: apt-get install $(tr '\n' ' ' <<<"$MISSING")"
	fi
}

# Debian's postgresql-15 makes and starts a cluster of its own on port 5432.
# We bring a private one, so for the time of this installation it is told not to.
no_default_cluster()
{
	as_root mkdir -p /etc/postgresql-common/createcluster.d
	as_root tee /etc/postgresql-common/createcluster.d/countinghouse.conf \
	    <<<"create_main_cluster = false" >/dev/null
}

default_cluster_again()
{
	as_root rm -f /etc/postgresql-common/createcluster.d/countinghouse.conf
}

# Alpha or outdated lists are common on fresh machines: always update first.
# Every package is asked for at once, so that apt resolves them together.
apt_install()
{
	local rc=0

	as_root apt-get -q update || return
	if grep -qx postgresql-15 <<<"$MISSING"; then
		no_default_cluster
	fi
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
	    --no-install-recommends -o DPkg::Lock::Timeout=300 \
	    -o Acquire::Retries=3 install $MISSING || rc=$?
	if grep -qx postgresql-15 <<<"$MISSING"; then
		default_cluster_again
	fi
	return "$rc"
}

install_packages()
{
	MISSING=$(missing_packages "$@")
	[[ -n $MISSING ]] || return 0
	run_step "install $(wc -w <<<"$MISSING") Debian packages" \
	    "$LOGS/apt-install.log" \
	    "look at the log; 'apt-get -f install' mends a broken package system" \
	    apt_install
}

unpack_package()
{
	local dir

	dir=$CH_CACHE/unpack
	rm -rf "$dir"
	mkdir -p "$dir" "$CH_CACHE/tools" &&
	    (cd "$dir" && apt-get -q -o APT::Sandbox::User=root \
	    -o Acquire::Retries=3 download "$1") &&
	    dpkg-deb -x "$dir"/*.deb "$CH_CACHE/tools" &&
	    rm -rf "$dir"
}

unpack_packages()
{
	local p

	for p in $(packages_of unpack); do
		stamped "unpack-$p" "$p" && continue
		run_step "unpack $p" "$LOGS/unpack-$p.log" \
		    "try 'apt-get update', then again" unpack_or_update "$p"
		stamp "unpack-$p" "$p"
	done
}

unpack_or_update()
{
	unpack_package "$1" || { as_root apt-get -q update && unpack_package "$1"; }
}

# --- stamps -----------------------------------------------------------------

# A stamp is worth what made it: the version, the text of the functions named,
# and the machine's architecture and Debian release.
stamp_text()
{
	local version=$1

	shift
	{
		say "$version"
		(($# == 0)) || declare -f "$@"
		dpkg --print-architecture
		cut -d. -f1 /etc/debian_version
	} | sha256sum | cut -c1-16
}

stamped()
{
	local name=$1

	shift
	[[ -f $STAMPS/$name && $(<"$STAMPS/$name") == $(stamp_text "$@") ]]
}

stamp()
{
	local name=$1

	shift
	mkdir -p "$STAMPS"
	stamp_text "$@" >"$STAMPS/$name"
}

# --- sources of newer Debian suites -----------------------------------------

newer_apt()
{
	local tool=$1

	shift
	"$tool" -q -o Dir::Etc::sourcelist="$APT/newer.sources" \
	    -o Dir::Etc::sourceparts=/dev/null \
	    -o Dir::State::lists="$APT/lists" -o Dir::Cache="$APT/cache" \
	    -o APT::Sandbox::User=root -o Acquire::Retries=3 \
	    -o Acquire::Languages=none -o APT::Get::List-Cleanup=0 "$@"
}

# The mirror that this machine already uses for Debian itself.
debian_mirror()
{
	# shellcheck disable=SC2016	# apt's own variables
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' \
	    'Created-By: Packages' |
	    awk -F'|' '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

write_newer_sources()
{
	local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg

	mkdir -p "$APT"/{lists,cache/archives}/partial
	mirror=$(debian_mirror)
	if [[ -z $mirror ]]; then
		as_root apt-get -q update
		mirror=$(debian_mirror)
	fi
	if [[ -z $mirror ]]; then
		say "no Debian mirror in /etc/apt: is this Debian 12?"
		return 1
	fi
	printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
	    "$mirror" "$NEWER_SUITES" "$keyring" >"$APT/newer.sources"
}

# Versions of a source package that the newer suites offer, best first: those
# of the wanted upstream version, then anything at or above the floor.
source_versions()
{
	local package=$1 wanted=$2 floor=$3 all v

	all=$(newer_apt apt-cache showsrc --only-source "$package" |
	    sed -n 's/^Version: //p' | sort -Vru)
	for v in $all; do
		[[ ${v%-*} == "$wanted" ]] && say "$v"
	done
	for v in $all; do
		[[ ${v%-*} != "$wanted" ]] &&
		    dpkg --compare-versions "${v%-*}" ge "$floor" && say "$v"
	done
	return 0
}

# fetch_source PACKAGE WANTED FLOOR: unpacks into $SRC/PACKAGE and applies
# Debian's security patches. Mirrors may lack a .dsc or a patch set; the
# upstream tarball is enough, but missing security patches are said.
fetch_source()
{
	local package=$1 dir=$SRC/$1 versions v tar=

	write_newer_sources
	newer_apt apt-get update
	versions=$(source_versions "$@")
	say "offered: ${versions//$'\n'/ }"
	rm -rf "$dir"
	mkdir -p "$dir/up" "$dir/deb"
	for v in $versions; do
		(cd "$dir" && newer_apt apt-get source --download-only \
		    --tar-only "$package=$v") || continue
		tar=$(find "$dir" -maxdepth 1 -name '*.orig.tar.*' ! -name '*.asc' | head -n 1)
		[[ -n $tar ]] && break
	done
	[[ -n $tar ]] || { say "no source of $package >= $3 could be fetched"; return 1; }
	tar -xf "$tar" -C "$dir/up" --strip-components=1
	say "source: $(basename "$tar")"
	fetch_patches "$package" "${v%-*}" "$versions"
}

fetch_patches()
{
	local package=$1 upstream=$2 dir=$SRC/$1 v p diff=

	for v in $3; do
		[[ ${v%-*} == "$upstream" ]] || continue
		(cd "$dir" && newer_apt apt-get source --download-only \
		    --diff-only "$package=$v") || continue
		diff=$(find "$dir" -maxdepth 1 -name '*.debian.tar.*' | head -n 1)
		[[ -n $diff ]] && break
	done
	if [[ -z $diff ]]; then
		say "warning: Debian's patches of $package could not be fetched"
		return 0
	fi
	tar -xf "$diff" -C "$dir/deb"
	for p in "$dir"/deb/debian/patches/CVE-*.patch; do
		[[ -f $p ]] || continue
		say "apply $(basename "$p")"
		patch -d "$dir/up" -p1 --forward <"$p" || return 1
	done
}

# --- the two libraries ------------------------------------------------------

write_pc()
{
	mkdir -p "$PREFIX/lib/pkgconfig"
	cat >"$PREFIX/lib/pkgconfig/$1.pc" <<EOF
prefix=\${pcfiledir}/../..
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: $1
Description: $1 $2, static, built by deploy/local/deps.sh
Version: $2
Requires: $4
Cflags: -isystem \${includedir}
Libs: \${libdir}/$3 $5
EOF
}

build_rdkafka()
{
	local v

	fetch_source librdkafka "$RDKAFKA_VERSION" "$RDKAFKA_FLOOR"
	cd "$SRC/librdkafka/up"
	# C11 threads are unknown to ThreadSanitizer, which then dies at the
	# first lock of a thread that it did not see start.
	CFLAGS=$CFLAGS_DEPS ./configure --prefix="$PREFIX" --disable-gssapi \
	    --enable-ssl --enable-zlib --enable-zstd --enable-lz4-ext \
	    --enable-curl --disable-debug-symbols --disable-c11threads
	local want
	for want in SSL ZLIB ZSTD LZ4_EXT CURL OAUTHBEARER_OIDC SASL_SCRAM; do
		grep -q "^#define WITH_$want 1" config.h ||
		    { say "configure left out $want"; return 1; }
	done
	make -j"$JOBS" -C src librdkafka.a
	mkdir -p "$PREFIX"/{include/librdkafka,lib}
	install -m 0644 src/rdkafka.h src/rdkafka_mock.h "$PREFIX/include/librdkafka/"
	install -m 0644 src/librdkafka.a "$PREFIX/lib/"
	v=$(sed -n 's/^#define RD_KAFKA_VERSION *0x\(........\).*/\1/p' src/rdkafka.h)
	write_pc rdkafka "$((16#${v:0:2})).$((16#${v:2:2})).$((16#${v:4:2}))" \
	    librdkafka.a "libssl libcrypto libcurl zlib libzstd liblz4" \
	    "-lm -ldl -lrt -lpthread"
	cd / && rm -rf "$SRC/librdkafka"
}

build_lws()
{
	local b=$SRC/libwebsockets/build v

	fetch_source libwebsockets "$LWS_VERSION" "$LWS_FLOOR"
	CFLAGS=$CFLAGS_DEPS cmake -S "$SRC/libwebsockets/up" -B "$b" \
	    -DCMAKE_BUILD_TYPE=None -DCMAKE_INSTALL_PREFIX="$PREFIX" \
	    -DLIB_SUFFIX= -DCMAKE_INSTALL_LIBDIR=lib \
	    -DLWS_WITH_STATIC=ON -DLWS_WITH_SHARED=OFF -DLWS_STATIC_PIC=ON \
	    -DLWS_IPV6=ON -DLWS_WITH_SSL=ON -DLWS_UNIX_SOCK=ON \
	    -DLWS_WITHOUT_CLIENT=OFF -DLWS_WITHOUT_SERVER=OFF \
	    -DLWS_WITH_HTTP2=OFF -DLWS_WITHOUT_EXTENSIONS=ON \
	    -DLWS_WITH_ZLIB=OFF -DLWS_MAX_SMP=1 \
	    -DLWS_WITH_LIBUV=OFF -DLWS_WITH_LIBEV=OFF -DLWS_WITH_LIBEVENT=OFF \
	    -DLWS_WITH_GLIB=OFF -DLWS_WITH_EVLIB_PLUGINS=OFF \
	    -DLWS_WITH_PLUGINS=OFF -DLWS_HAVE_LIBCAP=FALSE \
	    -DLWS_WITH_SECURE_STREAMS=OFF -DLWS_WITH_SYS_ASYNC_DNS=OFF \
	    -DLWS_WITHOUT_TESTAPPS=ON -DLWS_WITH_MINIMAL_EXAMPLES=OFF \
	    -DDISABLE_WERROR=ON
	cmake --build "$b" -j "$JOBS"
	mkdir -p "$PREFIX"/{include,lib}
	rm -rf "$PREFIX/include/libwebsockets"
	cp -r "$SRC/libwebsockets/up/include/." "$PREFIX/include/"
	install -m 0644 "$b/include/lws_config.h" "$PREFIX/include/" ||
	    install -m 0644 "$b/lws_config.h" "$PREFIX/include/"
	install -m 0644 "$b/lib/libwebsockets.a" "$PREFIX/lib/"
	v=$(sed -n 's/^#define LWS_LIBRARY_VERSION_\(MAJOR\|MINOR\|PATCH_ELABORATED\) *"\{0,1\}\([0-9]*\).*/\2/p' \
	    "$PREFIX/include/lws_config.h" | head -n 3 | paste -sd.)
	write_pc libwebsockets "$v" libwebsockets.a "libssl libcrypto" \
	    "-lpthread -lm -ldl"
	rm -rf "$SRC/libwebsockets"
}

have_library()
{
	stamped "$1" "$2" "$3" fetch_source fetch_patches write_pc &&
	    [[ -f $PREFIX/lib/$1.a ]]
}

build_library()
{
	local name=$1 what=$2 version=$3 fn=$4

	! have_library "$name" "$version" "$fn" || return 0
	run_step "$what" "$LOGS/$name.log" \
	    "look at the log; deleting $CH_CACHE starts over" \
	    bash -euo pipefail -c "$(declare -f); $(declare -p PREFIX LOGS SRC \
	    APT JOBS CFLAGS_DEPS NEWER_SUITES RDKAFKA_VERSION RDKAFKA_FLOOR \
	    LWS_VERSION LWS_FLOOR); $fn"
	stamp "$name" "$version" "$fn" fetch_source fetch_patches write_pc
}

build_libraries()
{
	build_library librdkafka "build librdkafka $RDKAFKA_VERSION" \
	    "$RDKAFKA_VERSION" build_rdkafka
	build_library libwebsockets "build libwebsockets $LWS_VERSION" \
	    "$LWS_VERSION" build_lws
}

# --- Kafka's jars -----------------------------------------------------------

# Offline first: a filled repository makes it quick and needs no network.
copy_jars()
{
	local libs=$CH_CACHE/kafka/$CH_KAFKA_VERSION/libs offline

	rm -rf "$libs.new"
	for offline in -o ""; do
		# shellcheck disable=SC2086
		mvn $offline -B -ntp -f "$CH_ROOT/deploy/kafka/pom.xml" \
		    -Dkafka.version="$CH_KAFKA_VERSION" \
		    -DoutputDirectory="$libs.new" \
		    dependency:copy-dependencies && break
		[[ -n $offline ]] || return 1
	done
	[[ -f $libs.new/kafka_2.13-$CH_KAFKA_VERSION.jar ]] ||
	    { say "Maven left no kafka_2.13-$CH_KAFKA_VERSION.jar"; return 1; }
	rm -rf "$libs"
	mv "$libs.new" "$libs"
}

kafka_stamp()
{
	say "$CH_KAFKA_VERSION-$(sha256sum <"$CH_ROOT/deploy/kafka/pom.xml" | cut -c1-16)"
}

have_kafka()
{
	stamped kafka "$(kafka_stamp)" &&
	    [[ -d $CH_CACHE/kafka/$CH_KAFKA_VERSION/libs ]]
}

fetch_kafka()
{
	! have_kafka || return 0
	run_step "fetch Apache Kafka $CH_KAFKA_VERSION" "$LOGS/kafka.log" \
	    "look at the log; Maven's own settings (~/.m2/settings.xml) name mirrors and proxies" \
	    copy_jars
	stamp kafka "$(kafka_stamp)"
}

# ----------------------------------------------------------------------------

# What the next call would have to fetch, one a line; nothing when up to date.
report_missing()
{
	local p

	for p in $(missing_packages "$@"); do
		say "package $p"
	done
	have_library librdkafka "$RDKAFKA_VERSION" build_rdkafka ||
	    say "librdkafka $RDKAFKA_VERSION"
	have_library libwebsockets "$LWS_VERSION" build_lws ||
	    say "libwebsockets $LWS_VERSION"
	have_kafka || say "Kafka $CH_KAFKA_VERSION"
	for p in $(packages_of unpack); do
		[[ " $* " != *" test "* ]] || stamped "unpack-$p" "$p" ||
		    say "package $p (unpacked)"
	done
}

all_steps()
{
	install_packages "$@"
	build_libraries
	fetch_kafka
	[[ " $* " != *" test "* ]] || unpack_packages
}

main()
{
	local report=

	if [[ ${1:-} == --missing ]]; then
		report=yes
		shift
	fi
	(($# > 0)) || set -- build run test
	if [[ -n $report ]]; then
		report_missing "$@"
		return 0
	fi
	mkdir -p "$CH_CACHE"
	with_lock "$CH_CACHE/lock" all_steps "$@"
}

main "$@"
