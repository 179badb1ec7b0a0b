# shellcheck shell=bash disable=SC2154 # sourced by tests/run, tests/bench/run and tests/score, whose $work this is
# Packages of the system, by name.

have() { command -v "$1" >/dev/null 2>&1; }

# as_root COMMAND…
as_root() {
	if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

why_not_install() {
	if ! have apt-get; then
		echo 'this system has no apt-get'
	elif ((EUID != 0)) && ! { have sudo && sudo -n true 2>/dev/null; }; then
		echo 'installing needs root or sudo without a password'
	fi
}

updated=no
apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
		-o Acquire::Retries=3 "$@" </dev/null
}

# first_error GREP-ARGUMENT… FILE: what a log says went wrong, without the addresses.
first_error() {
	{ grep -m 1 "$@" || tail -n 1 "${@: -1}"; } | sed -E 's#https?://[^ ]+ *##g'
}

# install PACKAGE…: sets $reason when that could not be done.
install() {
	reason=$(why_not_install)
	if [[ -n $reason ]]; then
		reason="$* not installed: $reason"
		return 1
	fi
	echo "installing $*"
	if [[ $updated = no ]]; then
		updated=yes
		apt update >"$work/apt.log" 2>&1 || tail -n 3 "$work/apt.log" # old lists may still do
	fi
	if ! apt install --no-install-recommends --yes "$@" >"$work/apt.log" 2>&1; then
		reason="apt-get could not install $*: $(first_error '^E:' "$work/apt.log")"
		return 1
	fi
}

# get COMMAND…: what it gets, or why not.
get() { "$@" || echo "not available: $reason" >&2; }
