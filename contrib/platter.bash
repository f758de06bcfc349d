# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Completion of platter's command line in bash. Needs nothing but bash itself (4.3).

# The words of the line, put together again where bash splits at "=" and ":". Sets words, cword,
# cur (up to the cursor) and prev.
_platter_words() {
	local i

	words=() cword=0
	for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
		# A lone "=" or ":" belongs to what is before it, and what follows one does too.
		if ((i > 1)) && [[ ${COMP_WORDS[i]} == [=:]* || ${words[-1]} == *[=:] ]] &&
			[[ $COMP_LINE == *"${COMP_WORDS[i - 1]}${COMP_WORDS[i]}"* ]]; then
			words[-1]+=${COMP_WORDS[i]}
		else
			words+=("${COMP_WORDS[i]}")
		fi
		((i != COMP_CWORD)) || cword=$((${#words[@]} - 1))
	done
	cur=${words[cword]-}
	prev=${words[cword > 0 ? cword - 1 : 0]}
}

# What follows the last break in cur is all that readline replaces: take the rest off the answers.
_platter_strip() {
	local kept=${cur%"${cur##*[=:]}"} i

	[[ -n $kept ]] || return 0
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]=${COMPREPLY[i]#"$kept"}
	done
}

# The words of $2 that begin with $3, each behind $1; more is to follow where a word ends with "=".
_platter_offer() {
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -P "$1" -W "$2" -- "$3")
	[[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *[=:] ]] || compopt -o nospace
}

# Files (-f) or directories (-d) that begin with $3, behind $2.
_platter_files() {
	compopt -o filenames
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "$1" -P "$2" -- "$3")
}

# Where platter mounts are, as far as that begins with cur.
_platter_mounts() {
	local fields dir want=${cur//\\/}

	while read -r -a fields; do
		[[ ${fields[*]} == *' - fuse.platter '* ]] || continue
		# Spaces and the like stand there as \040.
		printf -v dir '%b' "${fields[4]}"
		[[ $dir != "$want"* ]] || COMPREPLY+=("$dir")
	done </proc/self/mountinfo
	[[ ${#COMPREPLY[@]} -eq 0 ]] || compopt -o filenames
}

# The last of a comma-separated list of mount options.
_platter_mount_option() {
	local before=$1 last=$2
	local keys='uid= gid= umask= allow_other allow_root ro part= start= length= layout= sector=
		tree= session= map=lower disk= overlay overlay='

	if [[ $last == *,* ]]; then
		before+=${last%,*},
		last=${last##*,}
	fi
	case $last in
	layout=*) _platter_offer "$before" 'layout=auto layout=single layout=multi' "$last" ;;
	sector=*) _platter_offer "$before" 'sector=512 sector=1024 sector=2048 sector=4096' "$last" ;;
	tree=*) _platter_offer "$before" 'tree=rr tree=joliet tree=plain' "$last" ;;
	map=*) _platter_offer "$before" 'map=lower' "$last" ;;
	overlay=*)
		_platter_files -f "${before}overlay=" "${last#overlay=}"
		_platter_offer "$before" 'overlay=ram overlay=ram:' "$last"
		;;
	*=*) ;;
	*)
		_platter_offer "$before" "$keys" "$last"
		# Another option may follow one that is whole.
		compopt -o nospace
		;;
	esac
}

# The numbers of the partitions of the image that the line names.
_platter_partitions() {
	local image=$1 numbers

	[[ -f $image ]] || return 0
	numbers=$(platter info --json "$image" 2>/dev/null)
	# Behind the gaps come boot images, which have numbers too.
	numbers=$(grep -o '"number":[0-9]*' <<<"${numbers%%'"gaps":'*}")
	_platter_offer "$2" "${numbers//'"number":'/}" "$3"
}

# The last of a comma-separated list of checksums.
_platter_hashes() {
	local before=$1 last=$2

	if [[ $last == *,* ]]; then
		before+=${last%,*},
		last=${last##*,}
	fi
	_platter_offer "$before" 'md5 sha1 sha256 sha512 crc32' "$last"
}

# What --format takes.
_platter_formats() {
	case $1 in
	export | convert | create) echo 'raw qcow2 vdi vmdk vhd vhdx' ;;
	*) echo raw ;;
	esac
}

_platter_options() {
	local image='-p -o --partition --format --chain= --snapshot'
	local all='-q -v -h --quiet --verbose --help'

	case $1 in
	mount | attach) say="$image --overlay --overlay= -f -d --foreground --debug" ;;
	umount) say='-l --lazy --all' ;;
	list) say=--json ;;
	info) say="$image --overlay --overlay= --json" ;;
	ls) say="$image --overlay --overlay= -l -R" ;;
	cat) say="$image --overlay --overlay=" ;;
	cp) say="$image --overlay --overlay= -r --recursive" ;;
	status) say=--json ;;
	diff) say='--json --files --tar --base -p --partition' ;;
	commit) say='--yes --undo --base' ;;
	discard | rollback) say=--yes ;;
	check) say=--repair ;;
	verify) say="$image --hash --json" ;;
	export) say='--format --compress --thin --base' ;;
	convert) say="$image --overlay --overlay= --compress --used --yes --base" ;;
	create) say=--format ;;
	*) say='-V --version' ;;
	esac
	say+=" $all"
}

_platter() {
	local words cword cur prev say command='' operands=() i
	local commands='mount attach umount list info ls cat cp status diff commit discard export convert
		create check snapshot rollback flatten keep verify help'

	COMPREPLY=()
	_platter_words
	# What stands before the cursor: the command, and its operands so far.
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		-p | -o | --partition | --format | --chain | --snapshot | --tar | --base | --undo | --compress | --hash) i=$((i + 1)) ;;
		-*) ;;
		*)
			if [[ -z $command && " $commands " == *" ${words[i]} "* ]]; then
				command=${words[i]}
			else
				# The bare form, IMAGE DIR, is mount's.
				command=${command:-mount}
				operands+=("${words[i]//\\/}")
			fi
			;;
		esac
	done

	case $prev in
	-p | --partition) _platter_partitions "${operands[0]-}" '' "$cur" ;;
	-o) _platter_mount_option '' "$cur" ;;
	--format) _platter_offer '' "$(_platter_formats "$command")" "$cur" ;;
	--compress) _platter_offer '' 'zlib zstd' "$cur" ;;
	--tar | --base | --undo) _platter_files -f '' "$cur" ;;
	--hash) _platter_hashes '' "$cur" ;;
	--chain) _platter_offer '' no "$cur" && _platter_files -d '' "$cur" ;;
	*) false ;;
	esac && {
		_platter_strip
		return
	}

	case $cur in
	--overlay=*)
		_platter_files -f --overlay= "${cur#--overlay=}"
		_platter_offer '' '--overlay=ram --overlay=ram:' "$cur"
		;;
	--chain=*)
		_platter_files -d --chain= "${cur#--chain=}"
		_platter_offer '' --chain=no "$cur"
		;;
	--format=*)
		_platter_offer --format= "$(_platter_formats "$command")" "${cur#--format=}"
		;;
	--compress=*) _platter_offer --compress= 'zlib zstd' "${cur#--compress=}" ;;
	--base=*) _platter_files -f --base= "${cur#--base=}" ;;
	--tar=*) _platter_files -f --tar= "${cur#--tar=}" ;;
	--hash=*) _platter_hashes --hash= "${cur#--hash=}" ;;
	--undo=*) _platter_files -f --undo= "${cur#--undo=}" ;;
	--partition=*)
		_platter_partitions "${operands[0]-}" --partition= "${cur#--partition=}"
		;;
	-o*) _platter_mount_option -o "${cur#-o}" ;;
	-*)
		_platter_options "$command"
		_platter_offer '' "$say" "$cur"
		;;
	*)
		case $command,${#operands[@]} in
		,*)
			_platter_offer '' "$commands" "$cur"
			_platter_files -f '' "$cur"
			;;
		mount,1 | attach,1) _platter_files -d '' "$cur" ;;
		umount,0 | status,0 | diff,0 | keep,0)
			_platter_mounts
			# Or an image, or a path that is not absolute.
			[[ ${#COMPREPLY[@]} -gt 0 ]] || _platter_files -f '' "$cur"
			;;
		mount,0 | attach,0 | info,0 | verify,0 | ls,0 | cat,0 | cp,0 | discard,0 | commit,0 | check,0 | snapshot,0 | rollback,0 | flatten,0 | keep,1)
			_platter_files -f '' "$cur"
			;;
		cp,[2-9]* | export,[01] | convert,[01] | create,0) _platter_files -f '' "$cur" ;;
		esac
		;;
	esac
	_platter_strip
}

complete -F _platter platter
