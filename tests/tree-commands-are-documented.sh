#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every command is in the manual page, with each long option that its synopsis names, and in the
# completion.
. "${srcdir:-.}/tests/lib.sh" || exit 99

expect 0 "$PLATTER" --help
commands=$(awk '$1 == "platter" { print $2 }' out)
[ "$(wc -w <<<"$commands")" -ge 18 ] || fail "platter --help lists $commands"
for command in $commands; do
	synopsis=$(grep "^  platter $command " out)
	grep -q "^B<platter $command>" "$srcdir/docs/platter.pod" || fail "$command is not in the manual's synopsis"
	grep -q "^=item B<$command>" "$srcdir/docs/platter.pod" || fail "$command is not explained in the manual"
	grep "local commands='" -A 1 "$srcdir/contrib/platter.bash" | grep -qw -- "$command" ||
		fail "$command is not completed"
	for option in $(grep -o -- '--[a-z]*' <<<"$synopsis"); do
		sed -n "/^=item B<$command>/,/^=item B<[a-z]*>.*I</p" "$srcdir/docs/platter.pod" |
			grep -q -- "B<$option>" || grep "^=item B<$command>" "$srcdir/docs/platter.pod" |
			grep -q -- "$option" || fail "$command $option is not in the manual"
	done
done
