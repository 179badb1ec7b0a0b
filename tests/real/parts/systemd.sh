# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# A real systemd: a Debian root that systemd-nspawn boots.

# What the machine consists of; another line here makes it anew.
systemd_packages=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,procps,python3

set_up_systemd() {
	local root=$PWD/tests/real/systemd/root
	if ((EUID != 0)); then
		reason='booting a machine needs root'
		return 1
	fi
	if ! findmnt --noheadings --types cgroup2 >/dev/null 2>&1; then
		reason='this system has no cgroup v2'
		return 1
	fi
	if ! have systemd-nspawn || ! have mmdebstrap; then
		install systemd-container mmdebstrap || return 1
	fi
	if [[ $(cat "$root/packages" 2>/dev/null) != "$systemd_packages" ]]; then
		echo 'mmdebstrap in tests/real/systemd/root'
		rm -rf "$root"
		mkdir -p "$root"
		if ! mmdebstrap --variant=minbase --mode=root --include="$systemd_packages" \
			--customize-hook='chroot "$1" useradd --create-home --shell /bin/bash --uid 1000 ada' \
			--customize-hook='mkdir -p "$1/var/lib/systemd/linger" && touch "$1/var/lib/systemd/linger/ada"' \
			trixie - 2>"$work/mmdebstrap.log" </dev/null |
			tar -xp --numeric-owner -C "$root" --exclude='./dev/*'; then
			reason="mmdebstrap failed: $(first_error '^E:' "$work/mmdebstrap.log")"
			return 1
		fi
		echo "$systemd_packages" >"$root/packages"
	fi
	# Some places have the programs and do not let a container boot.
	if ! tests/real/systemd/machine.sh "$root" >"$work/machine.log" 2>&1 </dev/null; then
		reason="no machine boots here: $(tail -n 1 "$work/machine.log")"
		return 1
	fi
	export BROKERD_TEST_SYSTEMD=$root
}
