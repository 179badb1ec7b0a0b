# shellcheck shell=bash disable=SC2034,SC2154 # sourced by tests/run, whose functions and variables these are
# Packages of Node.js.

# npm_ci DIRECTORY: those of the lock file there, anew when that has changed.
npm_ci() {
	local directory=$PWD/$1
	if ! have npm; then
		reason='there is no npm'
		return 1
	fi
	if [[ $directory/node_modules/.package-lock.json -nt $directory/package-lock.json ]]; then
		return
	fi
	echo "npm ci in $1"
	if ! (cd "$directory" && npm ci --loglevel=error) >"$work/npm.log" 2>&1 </dev/null; then
		reason="npm ci failed: $(first_error -i error "$work/npm.log")"
		return 1
	fi
}
