# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# A real Secret Service.

set_up_gnome_keyring() {
	if ! id -un >/dev/null 2>&1; then
		reason="user $EUID has no name on this system, and D-Bus serves nobody without"
		return 1
	fi
	local packages=()
	have dbus-daemon && have dbus-send || packages+=(dbus)
	have secret-tool || packages+=(libsecret-tools)
	have perl || packages+=(perl)
	if ! have gnome-keyring-daemon; then
		# It depends on any session bus; without this name apt would take systemd's and systemd with it.
		have dbus-launch || [[ -e /usr/lib/systemd/user/dbus.socket ]] || packages+=(dbus-x11)
		packages+=(gnome-keyring)
	fi
	if ((${#packages[@]})); then install "${packages[@]}" || return 1; fi
	export BROKERD_TEST_GNOME_KEYRING=1
}
