# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# An OpenSSH server, for connections that a test starts it for.

set_up_sshd() {
	local sshd=/usr/sbin/sshd
	if [[ ! -x $sshd ]] || ! have ssh; then
		# The package starts a server for everybody.
		if [[ -d /run/systemd/system ]]; then
			reason='openssh-server is not installed, and would be started by it'
			return 1
		fi
		install openssh-server openssh-client || return 1
	fi
	# As root it wants a directory that its service would make.
	if ((EUID == 0)); then mkdir -p -m 0755 /run/sshd; fi
	export BROKERD_TEST_SSHD=$sshd
}
