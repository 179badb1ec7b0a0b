#!/usr/bin/env bash
# Proves that keyring.sh gives what the end-to-end tests rely on, with secret-tool as the program
# that keeps its secrets there. Prints "ok NAME" or "FAILED NAME" for each.
#
#   keyring-selftest.sh [--kernel]
# shellcheck disable=SC2317 # the functions are called by name, through check
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
failed=0

check() {
	local name=$1
	shift
	if "$@"; then echo "ok $name"; else
		echo "FAILED $name"
		failed=1
	fi
}

lookup() { timeout 5 secret-tool lookup service selftest 2>/dev/null; }
store() { printf %s "$1" | timeout 5 secret-tool store --label=selftest service selftest 2>/dev/null; }
found() { [[ $(lookup) = "$1" ]]; }
not() { ! "$@"; }
hangs() {
	local status=0
	timeout 1 secret-tool lookup service selftest >/dev/null 2>&1 || status=$?
	((status == 124))
}
locked_start() { keyring-ctl kill && keyring-ctl start locked && keyring-ctl locked; }
# The password is in no process's argument list.
hidden() {
	local password line
	password=$(<"$BROKERD_TEST_KEYRING_DIR/password")
	for line in /proc/[0-9]*/cmdline; do
		if grep -qaF -- "$password" "$line" 2>/dev/null; then return 1; fi
	done
}

case ${1:-} in
'')
	"$here/keyring.sh" "$0" --inside || failed=1
	# shellcheck disable=SC2016 # expanded inside
	check 'a command that fails says so, and nothing is left behind' not \
		"$here/keyring.sh" sh -c 'echo "$BROKERD_TEST_KEYRING_DIR" >"$1"; exit 3' - "${out:=$(mktemp)}"
	check 'its directory is gone' not test -e "$(<"$out")"
	rm "$out"
	;;
--inside)
	check 'a keyring of its own, with nothing in it' not lookup
	check 'store' store one
	check 'lookup' found one
	check 'the password is hidden' hidden
	check 'lock' keyring-ctl lock
	check 'locked: no lookup' not lookup
	check 'locked: no store' not store two
	check 'unlock' keyring-ctl unlock
	check 'unlocked: lookup' found one
	check 'stop' keyring-ctl stop
	check 'stopped: lookup hangs' hangs
	check 'cont' keyring-ctl cont
	check 'going on: lookup' found one
	check 'kill' keyring-ctl kill
	check 'killed: no lookup' not lookup
	check 'start' keyring-ctl start
	check 'started again: lookup' found one
	check 'start locked' locked_start
	check 'started locked: no lookup' not lookup
	check 'unlock after that' keyring-ctl unlock
	check 'and lookup' found one
	;;
--kernel)
	check 'a session keyring of its own' "$here/keyring.sh" --kernel "$0" --inside-kernel 2>/dev/null
	;;
--inside-kernel)
	key=$(keyctl add user brokerd-selftest one @s)
	[[ $(keyctl pipe "$key") = one ]]
	keyctl unlink "$key" @s
	exit
	;;
esac
exit "$failed"
