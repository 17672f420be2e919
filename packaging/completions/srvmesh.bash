# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for srvmesh: the command itself knows what may stand where.
_srvmesh()
{
	local line word=${COMP_WORDS[COMP_CWORD]} words=("${COMP_WORDS[@]:1:COMP_CWORD}")

	COMPREPLY=()
	# readline has split --option=value at the equals sign
	[[ $word == '=' || ${COMP_WORDS[COMP_CWORD - 1]} == '=' ]] && return
	while IFS= read -r line; do
		if [[ $line == @files ]]; then
			compopt -o filenames
			while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$word")
		else
			COMPREPLY+=("$line")
			[[ $line == *= ]] && compopt -o nospace
		fi
	done < <(srvmesh _complete "${words[@]}" 2>/dev/null)
}
complete -F _srvmesh srvmesh
