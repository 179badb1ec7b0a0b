#!/usr/bin/env bash
# Runs a command with a keyring of its own:
#
#   keyring.sh [--locked] COMMAND…    a private session bus and a real gnome-keyring-daemon on it
#   keyring.sh --kernel COMMAND…      a private session keyring of the kernel
#
# The command finds HOME, the XDG directories and DBUS_SESSION_BUS_ADDRESS set to private ones, and
# `keyring-ctl` on its PATH, which locks, unlocks, kills, starts and stops the daemon. Everything is
# gone when the command ends. Needs no display, no systemd and no rights; installs nothing.
set -euo pipefail

mode=unlocked
case ${1:-} in
--kernel)
	shift
	exec keyctl session - "$@"
	;;
--locked)
	mode=locked
	shift
	;;
esac
if (($# == 0)); then
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/brokerd-keyring.XXXXXX") # 0700
command=

# shellcheck disable=SC2317 # called by the trap
clean_up() {
	local status=$?
	trap - EXIT
	[[ -z $command ]] || kill "$command" 2>/dev/null || true
	"$here/bin/keyring-ctl" end || true
	rm -rf "$dir"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

export BROKERD_TEST_KEYRING_DIR=$dir
export HOME=$dir/home XDG_RUNTIME_DIR=$dir/run
export XDG_CACHE_HOME=$HOME/.cache XDG_CONFIG_HOME=$HOME/.config
export XDG_DATA_HOME=$HOME/.local/share XDG_STATE_HOME=$HOME/.local/state
export PATH=$here/bin:$PATH
unset DISPLAY WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS GNOME_KEYRING_CONTROL SSH_AUTH_SOCK
mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR"

# No <servicedir>: the bus starts nothing by itself, least of all a keyring that a test has killed.
cat >"$dir/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=$XDG_RUNTIME_DIR/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
END
(
	umask 077
	head -c 18 /dev/urandom | base64 | tr -d '\n' >"$dir/password"
)

export DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
keyring-ctl start-bus
keyring-ctl start # the first start with a password makes the keyring
if [[ $mode = locked ]]; then keyring-ctl lock; fi

# In the background, so that a signal to this script is served while the command runs.
"$@" <&0 &
command=$!
status=0
wait "$command" || status=$?
command=
exit "$status"
