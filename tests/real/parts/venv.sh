# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# Virtual environments of Python.

# venv DIRECTORY: one beside the lock file there, made anew when that has changed.
venv() {
	local directory=$PWD/$1
	local venv=$directory/venv
	if cmp -s "$directory/requirements.txt" "$venv/requirements.txt" && "$venv/bin/python" -c '' 2>/dev/null; then
		return
	fi
	if ! have python3 || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
		install python3 python3-venv || return 1
		hash -r
	fi
	if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
		reason="Python 3.10 or newer is needed, $(python3 --version) is what there is"
		return 1
	fi
	echo "pip install in $1/venv"
	if ! { python3 -m venv --clear "$venv" &&
		"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --retries 2 \
			--only-binary :all: --requirement "$directory/requirements.txt"; } >"$work/pip.log" 2>&1 </dev/null; then
		reason="pip install failed: $(first_error -i error "$work/pip.log")"
		return 1
	fi
	cp "$directory/requirements.txt" "$venv/requirements.txt"
}
