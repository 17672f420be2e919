# SPDX-License-Identifier: LGPL-2.1-or-later
# fish completion for srvmesh: the command itself knows what may stand where.
function __srvmesh_complete
	set -l words (commandline -opc) (commandline -ct)
	for line in (srvmesh _complete $words[2..-1] 2>/dev/null)
		if test "$line" = @files
			__fish_complete_path (commandline -ct)
		else
			echo $line
		end
	end
end
complete -c srvmesh -f -a '(__srvmesh_complete)'
