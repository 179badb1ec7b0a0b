#!/usr/bin/env bash
# Boots a real systemd in a container made from a Debian root, and holds it for as long as standard input is open:
#
#   machine.sh ROOT [NSPAWN-ARGUMENT…]
#
# ROOT is never written to: what the machine changes is gone with it, but for what the arguments bind. The network is this
# machine's, so that both sides share loopback. The user in it is `ada`, uid 1000. Prints the process id of the machine's init
# once it is up, on one line; `tests/e2e/machine.rs` enters by it. Needs root, and cgroup v2 somewhere.
set -euo pipefail

root=$1
shift
work=$(mktemp -d "${TMPDIR:-/tmp}/brokerd-machine.XXXXXX")
nspawn= init= group=
cleanup() {
	# SIGTERM asks the machine to power off; a machine that does not is killed.
	if [[ -n $nspawn ]]; then
		kill -TERM "$nspawn" 2>/dev/null || true
		for _ in {1..100}; do
			kill -0 "$nspawn" 2>/dev/null || break
			sleep 0.1
		done
		# Its init first: everything in the machine ends with it, and nothing does with nspawn.
		[[ -z $init ]] || kill -KILL "$init" 2>/dev/null || true
		kill -KILL "$nspawn" 2>/dev/null || true
		wait "$nspawn" 2>/dev/null || true
	fi
	if [[ -n $group ]]; then
		echo $$ >"$(dirname "$group")/cgroup.procs" 2>/dev/null || true
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap cleanup EXIT

# A control group for each: two machines in one would take each other's processes for their own, and never see a session end.
mount=$(findmnt --noheadings --first-only --output TARGET --types cgroup2)
group=${mount%/}$(sed -n 's/^0:://p' /proc/self/cgroup)
group=${group%/}/brokerd-$$
if mkdir "$group" 2>/dev/null && echo $$ >"$group/cgroup.procs" 2>/dev/null; then :; else group=; fi

# keyctl: the kernel's keyring is one of brokerd's stores, and nspawn's own filter forbids it.
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --directory="$root" --volatile=overlay --boot \
	--register=no --keep-unit --machine="brokerd-$$" --console=pipe --resolv-conf=off --timezone=off \
	--system-call-filter='add_key keyctl request_key' "$@" </dev/null >"$work/console" 2>&1 &
nspawn=$!

inside() { nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup --root -- "$@"; }
up() {
	init=$(pgrep -P "$nspawn" | head -n 1) && [[ -n $init ]] || return 1
	case $(inside env --chdir=/ systemctl is-system-running 2>/dev/null) in
	running | degraded) ;;
	*) return 1 ;;
	esac
	inside test -S /run/user/1000/systemd/private
}
for _ in {1..600}; do
	if up 2>/dev/null; then
		echo "$init"
		cat >/dev/null # until whoever asked for the machine is gone
		exit 0
	fi
	kill -0 "$nspawn" 2>/dev/null || break
	sleep 0.1
done
echo 'the machine does not come up:' >&2
tail -n 20 "$work/console" >&2
exit 1
