# Completion of pgherald's command line for bash. It asks the program itself, so that it knows what that one knows.

# _pgherald_word_after OPTION HELP: what the help text writes behind the option: FILE, FOLDER, SECONDS, or nothing.
_pgherald_word_after() { sed -n "s/^ *$1 \([A-Z:]\{1,\}\).*/\1/p" <<< "$2" | head -n 1; }

_pgherald() {
  local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} help words
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    help=$("$program" --help 2> /dev/null) || return 0
    words=$(sed -n 's/^  \([a-z-]\{1,\}\)  *.*/\1/p' <<< "$help")
  else
    help=$("$program" "${COMP_WORDS[1]}" --help 2> /dev/null) || return 0
    case $(_pgherald_word_after "${COMP_WORDS[COMP_CWORD - 1]}" "$help") in
      FILE) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
      FOLDER) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
      ?*) return ;;
    esac
    words=$(sed -n 's/^  \(--[a-z-]\{1,\}\).*/\1/p' <<< "$help"; echo --help)
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current" | sort -u)
}
complete -o filenames -F _pgherald pgherald
