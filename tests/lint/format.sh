#!/bin/bash
# Whether every C file is as clang-format (.clang-format) would have it. Another
# version has other opinions, so it is Debian 12's that counts: where there is none
# this says so, and checks nothing. Called by `make lint`.
set -eu
cd "$(dirname "$0")/../.."
version=14

if ! clang-format --version 2>/dev/null | grep -q "version $version\."; then
	echo "clang-format $version is not installed (tests/lint/packages): the format is not checked"
	exit 0
fi
find fsd mountd replica tests -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror
