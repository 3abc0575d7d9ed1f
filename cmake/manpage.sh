#!/bin/sh
# The manual page pgherald(1), made of what the program says of itself, so that it says the same.
#   cmake/manpage.sh PROGRAM > pgherald.1
# Its commands are those of `pgherald --help`, its variables those of `pgherald serve --help`.
set -eu
program=$1

# A line of text as roff: backslashes and hyphens are what they look like, no line is a request.
roff() { sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\([.']\)/\\\\\&\1/"; }
verbatim() { printf '.nf\n' && roff && printf '.fi\n'; }
# All of a command's help but its usage, and, for serve, the variables.
help_of() {
  "$program" "$1" --help |
    sed -e '/^  HERALD_[A-Z_]* (default/,$d' -e '/^[Uu]sage:/d' -e '/^Exit status:/,/^$/d' | sed '1{/^$/d}'
}
exit_of() { "$program" "$1" --help | sed -n '/^Exit status: /,/^$/{s/^Exit status: //;/^$/!p;}'; }

commands=$("$program" --help | sed -n 's/^  \([a-z]\{1,\}\)  *.*/\1/p')

printf '.TH PGHERALD 1 "" "%s" "User Commands"\n' "$("$program" --version)"
printf '.SH NAME\npgherald \\- push notifications stored in PostgreSQL to the browsers of their users\n'
printf '.SH SYNOPSIS\n.nf\n'
for command in $commands; do
  "$program" "$command" --help | sed -n 's/^[Uu]sage: //p' | roff
done
printf 'pgherald \\-\\-version\n.fi\n'
printf '.SH DESCRIPTION\n'
"$program" --help | sed -n -e '1p' -e '/^To begin/,/^$/p' | roff
printf '.SH COMMANDS\n'
for command in $commands; do
  printf '.SS %s\n' "$command"
  help_of "$command" | verbatim
done
printf '.SH ENVIRONMENT\n'
"$program" serve --help | sed -n -e '/^  HERALD_/,$p' | sed '/^  HERALD_/!s/^ *//' | roff |
  sed 's/^  \(HERALD_[A-Z_]*\) \(.*\)/.TP\n\\fB\1\\fR \2/'
printf '.SH EXIT STATUS\n'
for command in "" $commands; do
  text=$(if [ -z "$command" ]; then "$program" --help | sed -n 's/^exit status: //p'; else exit_of "$command"; fi | roff)
  [ -z "$text" ] || printf '.TP\n\\fBpgherald%s\\fR\n%s\n' "${command:+ $command}" "$text"
done
printf '.SH SEE ALSO\n.BR psql (1),\n.BR systemd.exec (5)\n'
